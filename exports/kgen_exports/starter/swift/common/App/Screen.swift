import Combine
import CoreGraphics
import Foundation
import KgenCore

/// What the screen shows, and what its buttons do.
@MainActor
final class Screen: ObservableObject {
    @Published var seed: UInt64 = 0
    @Published var way = 0
    @Published var label = 0
    @Published private(set) var titles: [String] = []
    @Published private(set) var labels: [String] = []
    @Published private(set) var picture: CGImage?
    @Published private(set) var progress = 0.0
    @Published private(set) var checks: [Check] = []
    @Published private(set) var message = ""

    private var manifest: Manifest?
    private var studio: Studio?
    private var running: Task<Void, Never>?

    /// Open the model, and draw the first picture.
    func open() async {
        do {
            let manifest = try Manifest(
                kgenJSON: Data(contentsOf: resource("kgen.json")),
                starterJSON: Data(contentsOf: resource("starter.json")))
            let studio = try Studio(manifest)
            self.manifest = manifest
            self.studio = studio
            titles = await studio.titles
            labels = manifest.labels
            seed = manifest.golden.seed
            draw()
        } catch {
            message = error.localizedDescription
        }
    }

    func draw() {
        let (way, seed, label) = (way, seed, Int32(label))
        start { studio, show in
            let begun = Date()
            try await studio.draw(way: way, seed: seed, label: label, onStep: show)
            let milliseconds = Int(Date().timeIntervalSince(begun) * 1000)
            self.message = "Seed \(seed), \(milliseconds) ms"
        }
    }

    func drawAnother() {
        seed += 1
        draw()
    }

    func test() {
        checks = []
        start { studio, show in
            self.message = "Drawing the pictures that are known…"
            try await studio.test(onStep: show) { check in
                Task { @MainActor in self.checks.append(check) }
            }
            self.message = ""
        }
    }

    /// Do something in place of what is being done; show its error if it has one.
    private func start(
        _ job: @escaping @MainActor (Studio, @escaping @Sendable (Step) -> Void) async throws -> Void
    ) {
        guard let studio else { return }
        running?.cancel()
        running = Task {
            do {
                try await job(studio) { step in
                    Task { @MainActor in self.show(step) }
                }
            } catch is CancellationError {
                // Another picture was asked for.
            } catch {
                message = error.localizedDescription
            }
        }
    }

    private func show(_ step: Step) {
        guard let manifest else { return }
        picture = cgImage(step.picture, manifest.image)
        progress = Double(step.done) / Double(step.total)
    }
}
