/// A way to draw; `proven` where Keras's pictures are there to compare with.
public struct Way {
    public let title: String
    public let file: ModelFile
    public let proven: Bool
}

/// Draws pictures from seeds: noise in, picture out. Not for several threads at once.
public final class Painter {
    public let ways: [Way]
    private let manifest: Manifest
    private let network: any Network

    /// - Parameter open: opens a file of the app's bundle.
    public init(_ manifest: Manifest, open: (ModelFile) throws -> any Network) throws {
        guard let file = manifest.files.values.first else {
            throw StarterError("starter.json names no file.")
        }
        self.manifest = manifest
        network = try open(file)
        ways = [Way(title: "In one call", file: file, proven: true)]
    }

    /// Draw picture `index` of a seed: the same one as kgen draws.
    ///
    /// - Parameter onStep: told when it is done; may throw, which ends the drawing.
    /// - Returns: the values of `ImageSpec`.
    public func draw(
        _ way: Way, seed: UInt64, index: Int = 0, label: Int32 = 0,
        onStep: (Step) throws -> Void = { _ in }
    ) throws -> [Float] {
        let count = manifest.latentDim
        let z = KgenNoise.normal(seed: seed, count: count, start: UInt64(index * count))
        var feeds = ["z": Feed.floats(z)]
        if way.file.takes("label") { feeds["label"] = .ints([label]) }
        let picture = try network.run(feeds)
        try onStep(Step(done: 1, total: 1, picture: picture))
        return picture
    }
}
