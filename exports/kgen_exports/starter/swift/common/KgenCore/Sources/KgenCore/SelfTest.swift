import Foundation

/// What this device's pictures are: their error, and whether they are the model's.
public struct Check: Identifiable, Sendable {
    public let title: String
    public let maxAbs: Double
    public let psnr: Double
    public let limit: String
    public let passed: Bool

    public var id: String { title }
}

/// Draw the golden pictures on this device and compare them with Keras's.
///
/// Every way to draw of which Keras's pictures are known is checked, by the same gates as at the
/// export: the largest error of a float32 file, the PSNR of the others.
///
/// - Parameters:
///   - onStep: told every step; may throw, which ends the test.
///   - onCheck: told each result.
public func selfTest(
    _ manifest: Manifest, _ painter: Painter, onStep: (Step) throws -> Void = { _ in },
    onCheck: (Check) -> Void
) throws {
    let golden = manifest.golden
    for way in painter.ways where way.proven {
        var errors: [Double] = []
        for (k, expected) in golden.pictures.enumerated() {
            let drawn = try painter.draw(
                way, seed: golden.seed, index: k, label: golden.labels?[k] ?? 0, onStep: onStep)
            errors += zip(drawn, expected).map { Double($0 - $1) }
        }
        let title = "\(way.title) (\(way.file.path))"
        onCheck(judge(title, errors, way.file.precision, manifest))
    }
}

private func judge(
    _ title: String, _ errors: [Double], _ precision: String, _ manifest: Manifest
) -> Check {
    let range = Double(manifest.image.high - manifest.image.low)
    let rmse = (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
    // The largest of numbers among which is NaN need not be NaN; their sum of squares is.
    let maxAbs = rmse.isNaN ? rmse : errors.map(abs).max() ?? .nan
    let psnr = rmse.isNaN ? rmse : 20 * log10(range / max(rmse, range * 1e-10))
    if let least = manifest.gates.leastDb[precision] {
        return Check(
            title: title, maxAbs: maxAbs, psnr: psnr, limit: "at least \(Int(least)) dB",
            passed: psnr >= least)
    }
    let allowed = manifest.gates.fp32Share * range
    return Check(
        title: title, maxAbs: maxAbs, psnr: psnr, limit: "largest error at most \(allowed)",
        passed: maxAbs <= allowed)
}
