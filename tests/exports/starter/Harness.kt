// Runs the core of a Kotlin starter as it is: java ... HarnessKt ASSETS CASE. See harness.py.
package dev.kgen.starter

import org.json.JSONArray
import org.json.JSONObject
import java.io.File
import java.nio.Buffer
import java.nio.FloatBuffer
import java.nio.IntBuffer
import kotlin.math.exp
import kotlin.math.tanh

private fun FloatBuffer.all() = FloatArray(remaining()).also { duplicate().get(it) }

/** The network of tests/exports/tiny_bundle.py, computed by hand. */
private class Tiny(val file: ModelFile, val given: JSONObject, val offset: Float) : Network {
    private val weights = given.getJSONArray("weights").floats()
    private val table = given.getJSONArray("table")
    private val size = given.getInt("size")

    override fun run(feeds: Map<String, Buffer>): FloatArray {
        check(feeds.keys == file.inputs.map { it.name }.toSet()) { "Fed ${feeds.keys}." }
        fun floats(name: String) = (feeds.getValue(name) as FloatBuffer).all()
        fun whole(name: String) = (feeds.getValue(name) as IntBuffer).get(0)
        val made = when {
            "z" in feeds -> decode(floats("z"))
            "xt" in feeds -> denoise(floats("xt").map(Float::toDouble), whole("t"))
            else -> walk(floats("noise"), if ("step_noise" in feeds) floats("step_noise") else null)
        }
        val label = if ("label" in feeds) whole("label") else 0
        return FloatArray(made.size) { made[it].toFloat() + offset + 0.01f * label }
    }

    private fun decode(z: FloatArray) = List(size) { j ->
        val sum = z.indices.sumOf { z[it].toDouble() * weights[it * size + j] }
        if (given.getString("activation") == "tanh") tanh(sum) else 1 / (1 + exp(-sum))
    }

    private fun denoise(xt: List<Double>, t: Int) =
        xt.mapIndexed { j, x -> tanh(x * weights[j] + t * 0.05) }

    private fun walk(noise: FloatArray, added: FloatArray?): List<Double> {
        var xt = noise.map(Float::toDouble)
        var x0Last = xt.map { 0.0 }
        for (i in 0 until table.length()) {
            val row = table.getJSONArray(i).numbers()
            val v = denoise(xt, row[0].toInt())
            val x0 = xt.mapIndexed { j, x -> (row[1] * x + row[2] * v[j]).coerceIn(-1.0, 1.0) }
            xt = xt.mapIndexed { j, x ->
                val z = if (row[6] > 0) added!![i * size + j] else 0f
                row[3] * x0[j] + row[4] * x + row[5] * x0Last[j] + row[6] * z
            }
            x0Last = x0
        }
        return xt
    }

    override fun close() = Unit
}

fun main(arguments: Array<String>) {
    val (assets, casePath) = arguments
    val given = JSONObject(File(casePath).readText())
    val manifest =
        Manifest(File(assets, "kgen.json").readText(), File(assets, "starter.json").readText())
    fun painter(offset: Float) = Painter(manifest) { Tiny(it, given, offset) }
    fun checks(offset: Float) = mutableListOf<Check>().also { found ->
        painter(offset).use { selfTest(manifest, it) { check -> found += check } }
    }

    val draw = given.getJSONObject("draw")
    val drawn = painter(0f).use { painter ->
        painter.ways.map { way ->
            val steps = mutableListOf<JSONArray>()
            val picture =
                painter.draw(way, draw.getLong("seed"), draw.getInt("index"), draw.getInt("label")) {
                    steps += JSONArray(listOf(it.done, it.total))
                }
            JSONObject(
                mapOf("title" to way.title, "picture" to list(picture), "steps" to JSONArray(steps)),
            )
        }
    }
    val stopped = try {
        painter(0f).use { it.draw(it.ways[0], 0) { throw IllegalStateException("stopped") } }
        "not"
    } catch (error: IllegalStateException) {
        error.message
    }
    val first = drawn[0].getJSONArray("picture").floats()
    val found = JSONObject()
        .put("words", rows(given, "words") { (seed, stream, block) ->
            KgenNoise.words(seed, block, stream).toList()
        })
        .put("normals", rows(given, "normals") { (seed, stream, start) ->
            KgenNoise.normal(seed, 8, stream, start).map(Float::toDouble)
        })
        .put("tables", tables(manifest, given))
        .put("drawn", JSONArray(drawn))
        .put("stopped", stopped)
        .put("checks", JSONArray(checks(0f).map(::json)))
        .put("broken", JSONArray(checks(given.getDouble("broken").toFloat()).map(::json)))
        .put("nan", JSONArray(checks(Float.NaN).map { it.passed }))
        .put("pixels", JSONArray(argb(first, manifest.image).toList()))
    println(found)
}

private fun list(values: FloatArray) = JSONArray(values.map(Float::toDouble))

private fun json(check: Check) = JSONObject(
    mapOf(
        "title" to check.title, "maxAbs" to check.maxAbs, "psnr" to check.psnr,
        "limit" to check.limit, "passed" to check.passed,
    ),
)

private fun rows(given: JSONObject, name: String, of: (List<Long>) -> List<Number>): JSONArray {
    val rows = given.getJSONArray(name)
    return JSONArray(
        List(rows.length()) { i ->
            val row = rows.getJSONArray(i)
            JSONArray(of(List(row.length()) { row.getLong(it) }))
        },
    )
}
