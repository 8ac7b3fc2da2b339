package dev.kgen.starter

import org.json.JSONArray
import org.json.JSONObject

fun tables(manifest: Manifest, given: JSONObject): JSONArray {
    val table = SamplerTable.of(manifest.sampler!!)
    val wanted = given.getJSONArray("respaced")
    return JSONArray(
        List(wanted.length()) { i ->
            val (steps, eta) = wanted.getJSONArray(i).numbers()
            JSONArray(
                table.respaced(steps.toInt(), eta).steps.map {
                    JSONArray(
                        listOf(
                            it.timestep, it.x0FromXt, it.x0FromPrediction, it.coefX0, it.coefXt,
                            it.coefLast, it.sigma,
                        ).map(Number::toDouble),
                    )
                },
            )
        },
    )
}
