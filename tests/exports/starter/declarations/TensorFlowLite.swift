// What the Swift starter takes of the pod TensorFlowLiteSwift: signatures of its documentation.
import Foundation

public struct Tensor {
    public let name: String
    public let data: Data
}

public final class Interpreter {
    public struct Options {}

    public init(modelPath: String, options: Options? = nil) throws {}
    public func allocateTensors() throws {}
    public func invoke() throws {}
    public func input(at index: Int) throws -> Tensor { Tensor(name: "", data: Data()) }
    public func output(at index: Int) throws -> Tensor { Tensor(name: "", data: Data()) }

    @discardableResult
    public func copy(_ data: Data, toInputAt index: Int) throws -> Tensor { try input(at: index) }
}
