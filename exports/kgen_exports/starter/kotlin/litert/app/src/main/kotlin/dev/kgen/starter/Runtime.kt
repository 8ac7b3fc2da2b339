package dev.kgen.starter

import android.content.res.AssetManager
import org.tensorflow.lite.Interpreter
import java.nio.Buffer
import java.nio.FloatBuffer
import java.nio.MappedByteBuffer
import java.nio.channels.FileChannel

/** Opens a .tflite file of the assets in LiteRT, on the CPU. */
class LiteRtNetwork(assets: AssetManager, private val file: ModelFile) : Network {
    private val interpreter = Interpreter(map(assets, file.path))

    override fun run(feeds: Map<String, Buffer>): FloatArray {
        val output = FloatBuffer.allocate(file.outputSize)
        // By the names of the file's one signature: the order of a file's inputs can be any.
        interpreter.runSignature(feeds, mapOf<String, Any>(file.output to output))
        return output.array()
    }

    override fun close() = interpreter.close()

    /** Map a file of the assets into memory; build.gradle.kts keeps it uncompressed for that. */
    private fun map(assets: AssetManager, path: String): MappedByteBuffer =
        assets.openFd(path).use { fd ->
            fd.createInputStream().channel.use { channel ->
                channel.map(FileChannel.MapMode.READ_ONLY, fd.startOffset, fd.declaredLength)
            }
        }
}

fun openNetwork(assets: AssetManager, file: ModelFile): Network = LiteRtNetwork(assets, file)
