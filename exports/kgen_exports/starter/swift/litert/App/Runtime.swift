import Foundation
import KgenCore
import TensorFlowLite

/// A .tflite file opened in TensorFlow Lite, on the CPU.
final class LiteRTNetwork: Network {
    private let interpreter: Interpreter
    private let file: ModelFile

    init(path: String, file: ModelFile) throws {
        interpreter = try Interpreter(modelPath: path)
        self.file = file
        try interpreter.allocateTensors()
        // Inputs are fed by their place: a file with another order must not be fed.
        for (place, input) in file.inputs.enumerated() {
            let found = try interpreter.input(at: place).name
            guard found == input.name else {
                throw StarterError(
                    "Input \(place) of \(file.path) is \(input.name) in kgen.json. "
                        + "Received: \(found).")
            }
        }
    }

    func run(_ feeds: [String: Feed]) throws -> [Float] {
        for (place, input) in file.inputs.enumerated() {
            switch feeds[input.name] {
            case .floats(let values):
                try interpreter.copy(values.withUnsafeBytes { Data($0) }, toInputAt: place)
            case .ints(let values):
                try interpreter.copy(values.withUnsafeBytes { Data($0) }, toInputAt: place)
            case nil:
                throw StarterError("\(file.path) takes \(input.name), which was not fed.")
            }
        }
        try interpreter.invoke()
        let output = try interpreter.output(at: 0).data
        return output.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }
}

/// Open a file of the app's bundle.
func openNetwork(_ file: ModelFile) throws -> any Network {
    try LiteRTNetwork(path: resource(file.path).path, file: file)
}
