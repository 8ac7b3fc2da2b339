// Runs the core of a Swift starter as it is: harness ASSETS CASE. See harness.py.
import Foundation

struct Given: Decodable {
    let weights: [Float]
    let activation: String
    let table: [[Double]]
    let size: Int
    let words: [[UInt64]]
    let normals: [[UInt64]]
    let respaced: [[Double]]
    let draw: Draw
    let broken: Float

    struct Draw: Decodable {
        let seed: UInt64
        let index: Int
        let label: Int32
    }
}

struct Found: Encodable {
    struct Drawn: Encodable {
        let title: String
        let picture: [Float]
        let steps: [[Int]]
    }

    struct Judged: Encodable {
        let title: String
        let maxAbs, psnr: Double
        let limit: String
        let passed: Bool
    }

    let words: [[UInt32]]
    let normals: [[Float]]
    let tables: [[[Double]]]
    let drawn: [Drawn]
    let stopped: String
    let checks, broken: [Judged]
    let nan: [Bool]
    let pixels: [UInt8]
}

/// The network of tests/exports/tiny_bundle.py, computed by hand.
struct Tiny: Network {
    let file: ModelFile
    let given: Given
    let offset: Float

    func run(_ feeds: [String: Feed]) throws -> [Float] {
        guard Set(feeds.keys) == Set(file.inputs.map(\.name)) else {
            throw StarterError("Fed \(feeds.keys).")
        }
        var label: Int32 = 0
        if case .ints(let values)? = feeds["label"] { label = values[0] }
        return made(feeds).map { Float($0) + offset + 0.01 * Float(label) }
    }

    private func made(_ feeds: [String: Feed]) -> [Double] {
        if case .floats(let z)? = feeds["z"] { return decode(z) }
        if case .floats(let xt)? = feeds["xt"], case .ints(let t)? = feeds["t"] {
            return denoise(xt.map(Double.init), Int(t[0]))
        }
        var added: [Float] = []
        if case .floats(let values)? = feeds["step_noise"] { added = values }
        guard case .floats(let noise)? = feeds["noise"] else { return [] }
        return walk(noise, added)
    }

    private func decode(_ z: [Float]) -> [Double] {
        (0..<given.size).map { j in
            var sum = 0.0
            for i in z.indices { sum += Double(z[i]) * Double(given.weights[i * given.size + j]) }
            return given.activation == "tanh" ? tanh(sum) : 1 / (1 + exp(-sum))
        }
    }

    private func denoise(_ xt: [Double], _ t: Int) -> [Double] {
        xt.indices.map { tanh(xt[$0] * Double(given.weights[$0]) + Double(t) * 0.05) }
    }

    private func walk(_ noise: [Float], _ added: [Float]) -> [Double] {
        var xt = noise.map(Double.init)
        var x0Last = xt.map { _ in 0.0 }
        for (i, row) in given.table.enumerated() {
            let v = denoise(xt, Int(row[0]))
            let x0 = xt.indices.map { min(max(row[1] * xt[$0] + row[2] * v[$0], -1), 1) }
            xt = xt.indices.map { j in
                let z = row[6] > 0 ? Double(added[i * given.size + j]) : 0
                let next = row[3] * x0[j] + row[4] * xt[j] + row[5] * x0Last[j]
                return next + row[6] * z
            }
            x0Last = x0
        }
        return xt
    }
}

let assets = URL(fileURLWithPath: CommandLine.arguments[1])
let given = try JSONDecoder().decode(
    Given.self, from: Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[2])))
let manifest = try Manifest(
    kgenJSON: Data(contentsOf: assets.appendingPathComponent("kgen.json")),
    starterJSON: Data(contentsOf: assets.appendingPathComponent("starter.json")))

func painter(_ offset: Float) throws -> Painter {
    try Painter(manifest) { Tiny(file: $0, given: given, offset: offset) }
}

func checks(_ offset: Float) throws -> [Found.Judged] {
    var found: [Found.Judged] = []
    try selfTest(manifest, painter(offset)) {
        found.append(
            Found.Judged(
                title: $0.title, maxAbs: $0.maxAbs, psnr: $0.psnr, limit: $0.limit,
                passed: $0.passed))
    }
    return found
}

let whole = try painter(0)
let drawn = try whole.ways.map { way in
    var steps: [[Int]] = []
    let picture = try whole.draw(
        way, seed: given.draw.seed, index: given.draw.index, label: given.draw.label
    ) { steps.append([$0.done, $0.total]) }
    return Found.Drawn(title: way.title, picture: picture, steps: steps)
}
var stopped = "not"
do {
    _ = try whole.draw(whole.ways[0], seed: 0) { _ in throw StarterError("stopped") }
} catch {
    stopped = error.localizedDescription
}
let found = try Found(
    words: given.words.map { KgenNoise.words(seed: $0[0], block: $0[2], stream: $0[1]) },
    normals: given.normals.map {
        KgenNoise.normal(seed: $0[0], count: 8, stream: $0[1], start: $0[2])
    },
    tables: tables(manifest, given.respaced), drawn: drawn, stopped: stopped, checks: checks(0),
    broken: checks(given.broken), nan: checks(.nan).map(\.passed),
    pixels: rgba(drawn[0].picture, manifest.image))
FileHandle.standardOutput.write(try JSONEncoder().encode(found))
