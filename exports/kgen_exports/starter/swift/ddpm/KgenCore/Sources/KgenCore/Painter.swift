private let fewerSteps = [50, 20, 10, 5]

/// A way to draw; `proven` where Keras's pictures are there to compare with.
public struct Way {
    public let title: String
    public let file: ModelFile
    public let proven: Bool
    let table: SamplerTable
}

/// Draws pictures from seeds: noise that becomes a picture step by step. Not for several threads at
/// once.
public final class Painter {
    /// The model's own steps, with progress; fewer of them; all of them in one call.
    public let ways: [Way]
    private let manifest: Manifest
    private let open: (ModelFile) throws -> any Network
    private var networks: [String: any Network] = [:]

    /// - Parameter open: opens a file of the app's bundle; called when the file is first needed.
    public init(_ manifest: Manifest, open: @escaping (ModelFile) throws -> any Network) throws {
        let table = try SamplerTable(kgenJSON: manifest.kgenJSON)
        let count = table.steps.count
        var ways: [Way] = []
        if let file = manifest.files["denoiser"] {
            ways.append(
                Way(title: "Step by step, \(count)", file: file, proven: true, table: table))
            for fewer in fewerSteps where fewer < count {
                ways.append(
                    Way(
                        title: "Step by step, \(fewer)", file: file, proven: false,
                        table: try table.respaced(fewer)))
            }
        }
        if let file = manifest.files["sampler"] {
            ways.append(
                Way(title: "\(count) steps in one call", file: file, proven: true, table: table))
        }
        self.manifest = manifest
        self.open = open
        self.ways = ways
    }

    /// Draw picture `index` of a seed: the same one as kgen draws.
    ///
    /// - Parameter onStep: told every step; may throw, which ends the drawing.
    /// - Returns: the values of `ImageSpec`.
    public func draw(
        _ way: Way, seed: UInt64, index: Int = 0, label: Int32 = 0,
        onStep: (Step) throws -> Void = { _ in }
    ) throws -> [Float] {
        let network = try networks[way.file.path] ?? open(way.file)
        networks[way.file.path] = network
        let size = manifest.image.size
        // Stream 0 is where a picture starts, stream i + 1 what step i adds to it.
        let noise = { (stream: Int) in
            KgenNoise.normal(
                seed: seed, count: size, stream: UInt64(stream), start: UInt64(index * size))
        }
        if way.file.path != manifest.files["sampler"]?.path {
            return try stepByStep(network, way, label, noise, onStep)
        }
        let picture = try inOneCall(network, way, label, noise)
        try onStep(Step(done: 1, total: 1, picture: picture))
        return picture
    }

    private func inOneCall(
        _ network: any Network, _ way: Way, _ label: Int32, _ noise: (Int) -> [Float]
    ) throws -> [Float] {
        var feeds = ["noise": Feed.floats(noise(0))]
        if way.file.takes("step_noise") {
            feeds["step_noise"] = .floats(way.table.steps.indices.flatMap { noise($0 + 1) })
        }
        if way.file.takes("label") { feeds["label"] = .ints([label]) }
        return try network.run(feeds)
    }

    private func stepByStep(
        _ network: any Network, _ way: Way, _ label: Int32, _ noise: (Int) -> [Float],
        _ onStep: (Step) throws -> Void
    ) throws -> [Float] {
        var xt = noise(0)
        var x0Last = [Float](repeating: 0, count: xt.count)
        for (i, step) in way.table.steps.enumerated() {
            var feeds: [String: Feed] = ["xt": .floats(xt), "t": .ints([step.timestep])]
            if way.file.takes("label") { feeds["label"] = .ints([label]) }
            let prediction = try network.run(feeds)
            let z = step.sigma > 0 ? noise(i + 1) : nil
            for j in xt.indices {
                let seen = step.x0FromXt * xt[j] + step.x0FromPrediction * prediction[j]
                let x0 = min(max(seen, -1), 1)
                xt[j] = step.coefX0 * x0 + step.coefXt * xt[j] + step.coefLast * x0Last[j]
                if let z { xt[j] += step.sigma * z[j] }
                x0Last[j] = x0
            }
            try onStep(Step(done: i + 1, total: way.table.steps.count, picture: xt))
        }
        return xt
    }
}
