package dev.kgen.starter

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import android.content.res.AssetManager
import java.nio.Buffer
import java.nio.FloatBuffer
import java.nio.IntBuffer

/** Opens an .onnx file of the assets in ONNX Runtime, on the CPU. */
class OnnxNetwork(assets: AssetManager, private val file: ModelFile) : Network {
    private val environment = OrtEnvironment.getEnvironment()
    private val session = environment.createSession(assets.open(file.path).use { it.readBytes() })

    override fun run(feeds: Map<String, Buffer>): FloatArray {
        val tensors = mutableMapOf<String, OnnxTensor>()
        try {
            for (input in file.inputs) {
                tensors[input.name] = tensor(feeds.getValue(input.name), input.shape.toLongArray())
            }
            session.run(tensors, setOf(file.output)).use { result ->
                val output = (result.get(0) as OnnxTensor).floatBuffer
                return FloatArray(output.remaining()).also { output.get(it) }
            }
        } finally {
            tensors.values.forEach { it.close() }
        }
    }

    private fun tensor(values: Buffer, shape: LongArray): OnnxTensor = when (values) {
        is FloatBuffer -> OnnxTensor.createTensor(environment, values, shape)
        is IntBuffer -> OnnxTensor.createTensor(environment, values, shape)
        else -> throw IllegalArgumentException("Inputs are float32 or int32.")
    }

    override fun close() = session.close()
}

fun openNetwork(assets: AssetManager, file: ModelFile): Network = OnnxNetwork(assets, file)
