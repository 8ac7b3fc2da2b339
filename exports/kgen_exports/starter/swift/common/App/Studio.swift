import KgenCore

/// Owns the painter, so that drawing happens off the main thread, one picture at a time.
actor Studio {
    private let manifest: Manifest
    private let painter: Painter

    init(_ manifest: Manifest) throws {
        self.manifest = manifest
        painter = try Painter(manifest, open: openNetwork)
    }

    var titles: [String] {
        painter.ways.map(\.title)
    }

    /// Draw a picture by the way at this place of `titles`.
    func draw(
        way: Int, seed: UInt64, label: Int32, onStep: @Sendable (Step) -> Void
    ) throws {
        _ = try painter.draw(painter.ways[way], seed: seed, label: label) { step in
            try Task.checkCancellation()
            onStep(step)
        }
    }

    /// Compare this device's pictures with Keras's.
    func test(onStep: @Sendable (Step) -> Void, onCheck: @Sendable (Check) -> Void) throws {
        try selfTest(
            manifest, painter,
            onStep: { step in
                try Task.checkCancellation()
                onStep(step)
            },
            onCheck: onCheck)
    }
}
