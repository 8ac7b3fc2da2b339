package dev.kgen.starter

import org.json.JSONArray
import org.json.JSONObject

private const val SCHEMA = "kgen-bundle-1"

/** A picture: rows from the top, pixels from the left, 1 (grey) or 3 (rgb) values in [low, high]. */
class ImageSpec(
    val height: Int,
    val width: Int,
    val channels: Int,
    val low: Float,
    val high: Float,
) {
    /** Numbers in a picture. */
    val size = height * width * channels
}

/** An input of a file; its shape with a batch of one. */
class Input(val name: String, val shape: List<Long>)

/** A model file in the assets, which takes one picture a call; its inputs in the file's order. */
class ModelFile(
    val path: String,
    val precision: String,
    val inputs: List<Input>,
    val output: String,
    val outputSize: Int,
) {
    fun takes(name: String) = inputs.any { it.name == name }
}

/** Pictures that the model drew in Keras, to compare with; their classes where it has any. */
class Golden(val seed: Long, val labels: List<Int>?, val pictures: List<FloatArray>)

/** How far a file may be from the model: as the export asks of it. */
class Gates(val fp32Share: Double, val leastDb: Map<String, Double>)

/**
 * The model that is in the assets.
 *
 * [kgenJson] is the kgen.json of its export, docs/manifest.md of kgen explains it; [starterJson] says
 * which of its files are here, and holds the golden pictures. To ship another model of the same kind,
 * change both and the files.
 */
class Manifest(kgenJson: String, starterJson: String) {
    private val kgen = JSONObject(kgenJson)
    private val starter = JSONObject(starterJson)

    init {
        val schema = kgen.optString("schema")
        require(schema == SCHEMA) { "This app reads $SCHEMA. Received: schema=$schema." }
    }

    val image = kgen.getJSONObject("image").let {
        val range = it.getJSONArray("range")
        ImageSpec(
            it.getInt("height"), it.getInt("width"), it.getInt("channels"),
            range.getDouble(0).toFloat(), range.getDouble(1).toFloat(),
        )
    }

    /** Length of z; 0 where the model takes none. */
    val latentDim: Int = kgen.optInt("latent_dim", 0)

    /** Names of the classes, by number; empty where the model takes none. */
    val labels: List<String> = kgen.optJSONArray("labels")?.texts() ?: emptyList()

    /** The sampler's numbers as they stand in kgen.json; null where the model has none. */
    val sampler: JSONObject? = kgen.optJSONObject("sampler")

    /** The files in the assets, by the name of the model's part. */
    val files: Map<String, ModelFile> = starter.getJSONObject("files").let { files ->
        files.keys().asSequence().associateWith { part -> file(part, files.getString(part)) }
    }

    val golden = starter.getJSONObject("golden").let { golden ->
        val pictures = golden.getJSONArray("pictures")
        Golden(
            golden.getLong("seed"),
            golden.optJSONArray("labels")?.let { it.numbers().map(Double::toInt) },
            List(pictures.length()) { pictures.getJSONArray(it).floats() },
        )
    }

    val gates = starter.getJSONObject("gates").let { gates ->
        val least = gates.getJSONObject("least_db")
        Gates(
            gates.getDouble("fp32_share"),
            least.keys().asSequence().associateWith(least::getDouble),
        )
    }

    private fun file(part: String, path: String): ModelFile {
        val described = kgen.getJSONObject("parts").getJSONObject(part)
        val entries = described.getJSONArray("files").objects()
        val entry = entries.firstOrNull { it.getString("path") == path }
            ?: throw IllegalArgumentException("kgen.json has no file $path of its $part.")
        val output = described.getJSONArray("outputs").getJSONObject(0)
        return ModelFile(
            path,
            entry.getString("precision"),
            described.getJSONArray("inputs").objects().map { Input(it.getString("name"), shape(it)) },
            output.getString("name"),
            shape(output).reduce(Long::times).toInt(),
        )
    }

    /** The shape in kgen.json, which has null for the batch, for one picture. */
    private fun shape(spec: JSONObject): List<Long> =
        listOf(1L) + spec.getJSONArray("shape").let { s -> List(s.length() - 1) { s.getLong(it + 1) } }
}

private fun JSONArray.objects() = List(length()) { getJSONObject(it) }

private fun JSONArray.texts() = List(length()) { getString(it) }

internal fun JSONArray.numbers() = List(length()) { getDouble(it) }

internal fun JSONArray.floats() = FloatArray(length()) { getDouble(it).toFloat() }
