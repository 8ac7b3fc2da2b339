/// Numbers of one input.
public enum Feed {
    case floats([Float])
    case ints([Int32])
}

/// An opened model file: numbers of one picture in, by the names of its inputs; its output out.
public protocol Network {
    func run(_ feeds: [String: Feed]) throws -> [Float]
}

/// How far a picture is: `done` of `total` calls, and its values so far.
public struct Step: Sendable {
    public let done: Int
    public let total: Int
    public let picture: [Float]
}
