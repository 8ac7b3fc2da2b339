package dev.kgen.starter

import kotlin.math.roundToInt

/** Colours of a picture's values for Android's Bitmap.createBitmap, ARGB_8888. */
fun argb(picture: FloatArray, image: ImageSpec): IntArray {
    fun byte(place: Int): Int {
        val share = (picture[place] - image.low) / (image.high - image.low)
        // An infinity or NaN of a broken file must be seen, not throw: roundToInt refuses NaN.
        return if (share.isNaN()) 0 else (share * 255f).roundToInt().coerceIn(0, 255)
    }
    return IntArray(image.height * image.width) { i ->
        val first = i * image.channels
        val (red, green, blue) = List(3) { byte(first + it % image.channels) }
        (255 shl 24) or (red shl 16) or (green shl 8) or blue
    }
}
