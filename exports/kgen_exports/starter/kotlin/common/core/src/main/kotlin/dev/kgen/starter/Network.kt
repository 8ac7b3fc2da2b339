package dev.kgen.starter

import java.nio.Buffer

/** An opened model file: numbers of one picture in, by the names of its inputs; its output out. */
interface Network : AutoCloseable {
    fun run(feeds: Map<String, Buffer>): FloatArray
}

/** How far a picture is: [done] of [total] calls, and its values so far. */
class Step(val done: Int, val total: Int, val picture: FloatArray)
