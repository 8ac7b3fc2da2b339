import Foundation

private let knownSchema = "kgen-bundle-1"

/// What went wrong, in words for people.
public struct StarterError: LocalizedError {
    private let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var errorDescription: String? { message }
}

/// A picture: rows from the top, pixels from the left, 1 (grey) or 3 (rgb) values in [low, high].
public struct ImageSpec: Decodable, Sendable {
    public let height: Int
    public let width: Int
    public let channels: Int
    let range: [Float]

    public var low: Float { range[0] }
    public var high: Float { range[1] }

    /// Numbers in a picture.
    public var size: Int { height * width * channels }
}

/// A model file in the app's bundle, which takes one picture a call; its inputs in the file's order.
public struct ModelFile: Sendable {
    public let path: String
    public let precision: String
    public let inputs: [Input]
    public let output: String

    /// An input; its shape with a batch of one.
    public struct Input: Sendable {
        public let name: String
        public let shape: [Int]
    }

    func takes(_ name: String) -> Bool {
        inputs.contains { $0.name == name }
    }
}

/// Pictures that the model drew in Keras, to compare with; their classes where it has any.
public struct Golden: Decodable, Sendable {
    public let seed: UInt64
    public let labels: [Int32]?
    public let pictures: [[Float]]
}

/// How far a file may be from the model: as the export asks of it.
public struct Gates: Decodable, Sendable {
    let fp32Share: Double
    let leastDb: [String: Double]
}

/// The model that is in the app's bundle.
///
/// To ship another model of the same kind, change kgen.json, starter.json and the files.
public struct Manifest: Sendable {
    public let image: ImageSpec
    /// Length of z; 0 where the model takes none.
    public let latentDim: Int
    /// Names of the classes, by number; empty where the model takes none.
    public let labels: [String]
    /// The files in the app's bundle, by the name of the model's part.
    public let files: [String: ModelFile]
    public let golden: Golden
    let gates: Gates
    let kgenJSON: Data

    /// Read a manifest.
    ///
    /// - Parameters:
    ///   - kgenJSON: the kgen.json of the export; docs/manifest.md of kgen explains it.
    ///   - starterJSON: which of its files are here, and the golden pictures.
    public init(kgenJSON: Data, starterJSON: Data) throws {
        let schema = try Self.decoder.decode(Schema.self, from: kgenJSON).schema
        guard schema == knownSchema else {
            throw StarterError("This app reads \(knownSchema). Received: schema=\(schema).")
        }
        let kgen = try Self.decoder.decode(Kgen.self, from: kgenJSON)
        let starter = try Self.decoder.decode(Starter.self, from: starterJSON)
        self.kgenJSON = kgenJSON
        image = kgen.image
        latentDim = kgen.latentDim ?? 0
        labels = kgen.labels ?? []
        golden = starter.golden
        gates = starter.gates
        files = try Dictionary(
            uniqueKeysWithValues: starter.files.map { ($0, try kgen.file(part: $0, path: $1)) })
    }

    /// Reads the names of kgen.json, which have underscores.
    static let decoder: JSONDecoder = {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }()
}

private struct Schema: Decodable {
    let schema: String
}

private struct Starter: Decodable {
    let files: [String: String]
    let golden: Golden
    let gates: Gates
}

private struct Kgen: Decodable {
    let image: ImageSpec
    let latentDim: Int?
    let labels: [String]?
    let parts: [String: Part]

    struct Part: Decodable {
        let inputs: [Spec]
        let outputs: [Spec]
        let files: [Entry]
    }

    struct Spec: Decodable {
        let name: String
        let shape: [Int?]  // nil for the batch
    }

    struct Entry: Decodable {
        let path: String
        let precision: String
    }

    func file(part: String, path: String) throws -> ModelFile {
        guard let described = parts[part],
            let entry = described.files.first(where: { $0.path == path }),
            let output = described.outputs.first
        else {
            throw StarterError("kgen.json has no file \(path) of its \(part).")
        }
        let inputs = described.inputs.map {
            ModelFile.Input(name: $0.name, shape: $0.shape.map { $0 ?? 1 })
        }
        return ModelFile(
            path: path, precision: entry.precision, inputs: inputs, output: output.name)
    }
}
