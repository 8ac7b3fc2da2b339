package dev.kgen.starter

import org.json.JSONArray
import org.json.JSONObject

fun tables(manifest: Manifest, given: JSONObject) =
    JSONArray().also { check(manifest.sampler == null && given.getJSONArray("respaced").length() == 0) }
