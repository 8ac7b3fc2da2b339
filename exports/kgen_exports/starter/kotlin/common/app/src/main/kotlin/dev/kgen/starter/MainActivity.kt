package dev.kgen.starter

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.drawable.BitmapDrawable
import android.os.Bundle
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.ProgressBar
import android.widget.Spinner
import android.widget.TextView
import java.util.concurrent.CancellationException
import java.util.concurrent.Executors
import java.util.concurrent.Future

/** The app's one screen: a seed, its picture, and the test of this device. */
class MainActivity : Activity() {
    private val worker = Executors.newSingleThreadExecutor()
    private var running: Future<*>? = null
    private lateinit var manifest: Manifest
    private lateinit var painter: Painter

    private val picture by lazy { findViewById<ImageView>(R.id.picture) }
    private val progress by lazy { findViewById<ProgressBar>(R.id.progress) }
    private val seed by lazy { findViewById<EditText>(R.id.seed) }
    private val ways by lazy { findViewById<Spinner>(R.id.ways) }
    private val labels by lazy { findViewById<Spinner>(R.id.labels) }
    private val message by lazy { findViewById<TextView>(R.id.message) }
    private val buttons by lazy {
        listOf(R.id.draw, R.id.another, R.id.self_test).map { findViewById<Button>(it) }
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        manifest = Manifest(text("kgen.json"), text("starter.json"))
        offer(labels, manifest.labels)
        buttons[0].setOnClickListener { draw(seedNumber()) }
        buttons[1].setOnClickListener { draw(seedNumber() + 1) }
        buttons[2].setOnClickListener { test() }
        start {
            painter = Painter(manifest) { file -> openNetwork(assets, file) }
            runOnUiThread {
                offer(ways, painter.ways.map { it.title })
                for (button in buttons) button.isEnabled = true
                draw(seedNumber())
            }
        }
    }

    override fun onDestroy() {
        // The painter is closed on the thread that uses it, after what that is doing has stopped.
        running?.cancel(true)
        worker.execute { if (::painter.isInitialized) painter.close() }
        worker.shutdown()
        super.onDestroy()
    }

    private fun draw(number: Long) {
        seed.setText(number.toString())
        val way = painter.ways[ways.selectedItemPosition]
        val label = labels.selectedItemPosition.coerceAtLeast(0)
        start {
            val begun = System.nanoTime()
            painter.draw(way, number, label = label, onStep = ::show)
            val milliseconds = (System.nanoTime() - begun) / 1_000_000
            say(getString(R.string.drawn, number, milliseconds))
        }
    }

    private fun test() = start {
        say(getString(R.string.testing))
        val lines = mutableListOf<String>()
        selfTest(manifest, painter, ::show) { check ->
            val verdict = if (check.passed) R.string.passed else R.string.failed
            lines += getString(
                R.string.check, getString(verdict), check.title, check.maxAbs, check.psnr, check.limit,
            )
            say(lines.joinToString("\n"))
        }
    }

    /** Do something on the worker in place of what it is doing; show its error if it has one. */
    private fun start(job: () -> Unit) {
        running?.cancel(true)
        running = worker.submit {
            try {
                job()
            } catch (_: CancellationException) {
                // Another picture was asked for.
            } catch (error: Exception) {
                say(error.message ?: error.toString())
            }
        }
    }

    /** Show a picture on the way, unless another one was asked for. */
    private fun show(step: Step) {
        if (Thread.currentThread().isInterrupted) throw CancellationException()
        val image = manifest.image
        val colours = argb(step.picture, image)
        val bitmap =
            Bitmap.createBitmap(colours, image.width, image.height, Bitmap.Config.ARGB_8888)
        runOnUiThread {
            // Small pictures are shown with their pixels, not blurred.
            picture.setImageDrawable(
                BitmapDrawable(resources, bitmap).apply { paint.isFilterBitmap = false },
            )
            progress.max = step.total
            progress.progress = step.done
        }
    }

    private fun say(text: String) = runOnUiThread { message.text = text }

    private fun seedNumber(): Long = seed.text.toString().toLongOrNull() ?: 0

    /** Fill a choice; hide it where there is none to make. */
    private fun offer(spinner: Spinner, names: List<String>) {
        spinner.adapter =
            ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, names)
        spinner.visibility = if (names.size > 1) View.VISIBLE else View.GONE
    }

    private fun text(path: String): String = assets.open(path).bufferedReader().use { it.readText() }
}
