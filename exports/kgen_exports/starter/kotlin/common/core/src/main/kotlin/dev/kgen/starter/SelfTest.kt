package dev.kgen.starter

import kotlin.math.abs
import kotlin.math.log10
import kotlin.math.max
import kotlin.math.sqrt

/** What this device's pictures are: their error, and whether they are the model's. */
class Check(
    val title: String,
    val maxAbs: Double,
    val psnr: Double,
    val limit: String,
    val passed: Boolean,
)

/**
 * Draw the golden pictures on this device and compare them with Keras's.
 *
 * Every way to draw of which Keras's pictures are known is checked, by the same gates as at the
 * export: the largest error of a float32 file, the PSNR of the others. [onStep] may throw, which
 * ends the test.
 */
fun selfTest(
    manifest: Manifest,
    painter: Painter,
    onStep: (Step) -> Unit = {},
    onCheck: (Check) -> Unit,
) {
    for (way in painter.ways.filter { it.proven }) {
        val errors = manifest.golden.pictures.flatMapIndexed { k, expected ->
            val label = manifest.golden.labels?.get(k) ?: 0
            val drawn = painter.draw(way, manifest.golden.seed, k, label, onStep)
            expected.indices.map { (drawn[it] - expected[it]).toDouble() }
        }
        onCheck(judge("${way.title} (${way.file.path})", errors, way.file.precision, manifest))
    }
}

private fun judge(
    title: String,
    errors: List<Double>,
    precision: String,
    manifest: Manifest,
): Check {
    val range = (manifest.image.high - manifest.image.low).toDouble()
    val maxAbs = errors.maxOf { abs(it) } // NaN where one of them is
    val rmse = sqrt(errors.sumOf { it * it } / errors.size)
    val psnr = if (rmse.isNaN()) rmse else 20 * log10(range / max(rmse, range * 1e-10))
    val least = manifest.gates.leastDb[precision]
    if (least != null) {
        return Check(title, maxAbs, psnr, "at least ${least.toInt()} dB", psnr >= least)
    }
    val allowed = manifest.gates.fp32Share * range
    return Check(title, maxAbs, psnr, "largest error at most $allowed", maxAbs <= allowed)
}
