package dev.kgen.starter

import java.nio.Buffer
import java.nio.FloatBuffer
import java.nio.IntBuffer

private val FEWER_STEPS = listOf(50, 20, 10, 5)

/** A way to draw; [proven] where Keras's pictures are there to compare with. */
class Way(val title: String, val file: ModelFile, val table: SamplerTable, val proven: Boolean)

/**
 * Draws pictures from seeds: noise that becomes a picture step by step.
 *
 * Not for several threads at once. [open] opens a file of the assets, when it is first needed.
 */
class Painter(private val manifest: Manifest, private val open: (ModelFile) -> Network) :
    AutoCloseable {
    private val image = manifest.image
    private val networks = mutableMapOf<String, Network>()
    private val whole = manifest.files["sampler"]

    /** The model's own steps, with progress; fewer of them; all of them in one call. */
    val ways: List<Way> = buildList {
        val sampler = requireNotNull(manifest.sampler) { "kgen.json has no sampler." }
        val table = SamplerTable.of(sampler)
        val count = table.steps.size
        manifest.files["denoiser"]?.let { file ->
            add(Way("Step by step, $count", file, table, proven = true))
            for (fewer in FEWER_STEPS.filter { it < count }) {
                add(Way("Step by step, $fewer", file, table.respaced(fewer), proven = false))
            }
        }
        whole?.let { add(Way("$count steps in one call", it, table, proven = true)) }
    }

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
        // Stream 0 is where a picture starts, stream i + 1 what step i adds to it.
        val noise = { stream: Int ->
            KgenNoise.normal(seed, image.size, stream.toLong(), index.toLong() * image.size)
        }
        val network = networks.getOrPut(way.file.path) { open(way.file) }
        return if (way.file === whole) {
            inOneCall(network, way, label, noise).also { onStep(Step(1, 1, it)) }
        } else {
            stepByStep(network, way, label, noise, onStep)
        }
    }

    private fun inOneCall(
        network: Network,
        way: Way,
        label: Int,
        noise: (Int) -> FloatArray,
    ): FloatArray {
        val feeds = mutableMapOf<String, Buffer>("noise" to FloatBuffer.wrap(noise(0)))
        if (way.file.takes("step_noise")) {
            val steps = FloatArray(way.table.steps.size * image.size)
            for (i in way.table.steps.indices) noise(i + 1).copyInto(steps, i * image.size)
            feeds["step_noise"] = FloatBuffer.wrap(steps)
        }
        return network.run(feeds.with(label, way.file))
    }

    private fun stepByStep(
        network: Network,
        way: Way,
        label: Int,
        noise: (Int) -> FloatArray,
        onStep: (Step) -> Unit,
    ): FloatArray {
        var xt = noise(0)
        var x0Last = FloatArray(xt.size)
        for ((i, step) in way.table.steps.withIndex()) {
            val feeds = mutableMapOf<String, Buffer>(
                "xt" to FloatBuffer.wrap(xt),
                "t" to IntBuffer.wrap(intArrayOf(step.timestep)),
            )
            val prediction = network.run(feeds.with(label, way.file))
            val z = if (step.sigma > 0) noise(i + 1) else null
            val x0 = FloatArray(xt.size) { j ->
                (step.x0FromXt * xt[j] + step.x0FromPrediction * prediction[j]).coerceIn(-1f, 1f)
            }
            xt = FloatArray(xt.size) { j ->
                val next = step.coefX0 * x0[j] + step.coefXt * xt[j] + step.coefLast * x0Last[j]
                if (z == null) next else next + step.sigma * z[j]
            }
            x0Last = x0
            onStep(Step(i + 1, way.table.steps.size, xt))
        }
        return xt
    }

    private fun MutableMap<String, Buffer>.with(label: Int, file: ModelFile) = apply {
        if (file.takes("label")) put("label", IntBuffer.wrap(intArrayOf(label)))
    }

    override fun close() = networks.values.forEach { it.close() }
}
