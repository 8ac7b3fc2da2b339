// What the Swift starter takes of onnxruntime-swift-package-manager: how Swift sees the headers of
// onnxruntime-objc.
import Foundation

public enum ORTLoggingLevel {
    case warning
}

public enum ORTTensorElementDataType {
    case float, int32
}

public final class ORTEnv {
    public init(loggingLevel: ORTLoggingLevel) throws {}
}

public final class ORTSessionOptions {}
public final class ORTRunOptions {}

public final class ORTValue {
    public init(
        tensorData: NSMutableData, elementType: ORTTensorElementDataType, shape: [NSNumber]
    ) throws {}
    public func tensorData() throws -> NSMutableData { NSMutableData() }
}

public final class ORTSession {
    public init(env: ORTEnv, modelPath: String, sessionOptions: ORTSessionOptions?) throws {}
    public func run(
        withInputs inputs: [String: ORTValue], outputNames: Set<String>, runOptions: ORTRunOptions?
    ) throws -> [String: ORTValue] { [:] }
}
