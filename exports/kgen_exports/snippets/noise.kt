// Noise for kgen's models, as docs/noise.md of kgen specifies it. No dependencies but Kotlin's own
// library. Compared with kgen by make test-starters, with Kotlin 2.4 on a JVM on Linux. Not run on a
// phone.

import kotlin.math.PI
import kotlin.math.cos
import kotlin.math.ln
import kotlin.math.sin
import kotlin.math.sqrt

object KgenNoise {
    private const val LOW = 0xFFFFFFFFL

    /** The four random words of a block: Philox4x32-10. Arguments count as 64 bits without sign. */
    fun words(seed: Long, block: Long, stream: Long = 0): LongArray {
        var k0 = seed and LOW
        var k1 = seed ushr 32
        var c0 = block and LOW
        var c1 = block ushr 32
        var c2 = stream and LOW
        var c3 = stream ushr 32
        repeat(10) {
            // 64 bits hold a product of two words; ushr takes no notice of the sign.
            val p0 = 0xD2511F53L * c0
            val p1 = 0xCD9E8D57L * c2
            c0 = (p1 ushr 32) xor c1 xor k0
            c1 = p1 and LOW
            c2 = (p0 ushr 32) xor c3 xor k1
            c3 = p0 and LOW
            k0 = (k0 + 0x9E3779B9L) and LOW
            k1 = (k1 + 0xBB67AE85L) and LOW
        }
        return longArrayOf(c0, c1, c2, c3)
    }

    /** [count] standard normals, from element [start] (0 or more) of the stream on. */
    fun normal(seed: Long, count: Int, stream: Long = 0, start: Long = 0): FloatArray {
        val noise = FloatArray(count)
        var four = FloatArray(4)
        for (i in 0 until count) {
            val lane = ((start + i) % 4).toInt()
            if (i == 0 || lane == 0) four = block(words(seed, (start + i) / 4, stream))
            noise[i] = four[lane]
        }
        return noise
    }

    /** The four normals of a block: Box-Muller, in Double. */
    private fun block(words: LongArray): FloatArray {
        val four = FloatArray(4)
        for (i in 0..2 step 2) {
            val radius = sqrt(-2.0 * ln((words[i] + 0.5) / 4294967296.0))
            val angle = 2.0 * PI * ((words[i + 1] + 0.5) / 4294967296.0)
            four[i] = (radius * cos(angle)).toFloat()
            four[i + 1] = (radius * sin(angle)).toFloat()
        }
        return four
    }
}
