package dev.kgen.starter

import java.nio.Buffer
import java.nio.FloatBuffer
import java.nio.IntBuffer

/** A way to draw; [proven] where Keras's pictures are there to compare with. */
class Way(val title: String, val file: ModelFile, val proven: Boolean)

/**
 * Draws pictures from seeds: noise in, picture out.
 *
 * Not for several threads at once. [open] opens a file of the assets.
 */
class Painter(private val manifest: Manifest, open: (ModelFile) -> Network) : AutoCloseable {
    private val file = manifest.files.values.single()
    private val network = open(file)

    val ways = listOf(Way("In one call", file, proven = true))

    /**
     * Draw picture [index] of a seed: the same one as kgen draws.
     *
     * [onStep] may throw, which ends the drawing. Returns the values of ImageSpec.
     */
    fun draw(
        way: Way,
        seed: Long,
        index: Int = 0,
        label: Int = 0,
        onStep: (Step) -> Unit = {},
    ): FloatArray {
        val count = manifest.latentDim
        val z = KgenNoise.normal(seed, count, start = index.toLong() * count)
        val feeds = mutableMapOf<String, Buffer>("z" to FloatBuffer.wrap(z))
        if (way.file.takes("label")) feeds["label"] = IntBuffer.wrap(intArrayOf(label))
        return network.run(feeds).also { onStep(Step(1, 1, it)) }
    }

    override fun close() = network.close()
}
