import Foundation
import KgenCore
import OnnxRuntimeBindings

/// An .onnx file opened in ONNX Runtime, on the CPU.
final class OnnxNetwork: Network {
    private let environment: ORTEnv
    private let session: ORTSession
    private let file: ModelFile

    init(path: String, file: ModelFile) throws {
        environment = try ORTEnv(loggingLevel: ORTLoggingLevel.warning)
        session = try ORTSession(env: environment, modelPath: path, sessionOptions: nil)
        self.file = file
    }

    func run(_ feeds: [String: Feed]) throws -> [Float] {
        var inputs: [String: ORTValue] = [:]
        for input in file.inputs {
            switch feeds[input.name] {
            case .floats(let values):
                inputs[input.name] = try tensor(values, .float, input.shape)
            case .ints(let values):
                inputs[input.name] = try tensor(values, .int32, input.shape)
            case nil:
                throw StarterError("\(file.path) takes \(input.name), which was not fed.")
            }
        }
        let outputs = try session.run(
            withInputs: inputs, outputNames: [file.output], runOptions: nil)
        guard let output = outputs[file.output] else {
            throw StarterError("\(file.path) gave no \(file.output).")
        }
        let data = try output.tensorData() as Data
        return data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }

    private func tensor<Number>(
        _ values: [Number], _ type: ORTTensorElementDataType, _ shape: [Int]
    ) throws -> ORTValue {
        let data = NSMutableData(data: values.withUnsafeBytes { Data($0) })
        return try ORTValue(
            tensorData: data, elementType: type, shape: shape.map { NSNumber(value: $0) })
    }
}

/// Open a file of the app's bundle.
func openNetwork(_ file: ModelFile) throws -> any Network {
    try OnnxNetwork(path: resource(file.path).path, file: file)
}
