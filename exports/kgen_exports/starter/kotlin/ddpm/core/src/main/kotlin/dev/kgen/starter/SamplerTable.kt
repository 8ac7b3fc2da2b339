package dev.kgen.starter

import org.json.JSONObject
import kotlin.math.ln
import kotlin.math.max
import kotlin.math.sqrt

/** The six numbers of a step: docs/manifest.md of kgen, "sampler". */
class SamplerStep(
    val timestep: Int,
    val x0FromXt: Float,
    val x0FromPrediction: Float,
    val coefX0: Float,
    val coefXt: Float,
    val coefLast: Float,
    val sigma: Float,
)

/**
 * The steps of a diffusion sampler in the order they are taken, from the most noise to none.
 *
 * [name] is dpmpp, ddim or ddpm; [prediction] is what the denoiser predicts: eps, x0 or v.
 * [alphaBars] are the shares of x0's variance that are left in xt, one per timestep of the chain
 * that it was trained on.
 */
class SamplerTable(
    val steps: List<SamplerStep>,
    private val name: String,
    private val prediction: String,
    private val alphaBars: DoubleArray,
) {
    /** Whether any step adds noise. */
    val stochastic = steps.any { it.sigma > 0 }

    /**
     * The table with another number of steps on the same chain: fewer are faster and coarser.
     *
     * Of dpmpp it is dpmpp again, of ddim and ddpm it is ddim. [eta] is the noise, 0 (none) to 1.
     * Source: Song et al. (2021), eq. 12 and 16; Lu et al. (2022, DPM-Solver++), Algorithm 2.
     */
    fun respaced(numSteps: Int, eta: Double = 0.0): SamplerTable {
        val chain = alphaBars.size
        require(numSteps in 1..chain) { "Steps are 1 to $chain. Received: numSteps=$numSteps." }
        require(eta in 0.0..1.0) { "eta is 0 to 1. Received: eta=$eta." }
        // rint rounds halves to even, as NumPy does.
        val timesteps = List(numSteps) {
            Math.rint(chain - it.toDouble() * chain / numSteps).toInt() - 1
        }
        val bars = timesteps.map { alphaBars[it] }
        val multistep = name == "dpmpp"
        val made = timesteps.mapIndexed { i, t ->
            val ahead = if (multistep && i in 1..numSteps - 2) lookAhead(bars, i) else 0.0
            step(t, bars[i], bars.getOrElse(i + 1) { 1.0 }, eta, ahead)
        }
        return SamplerTable(made, if (multistep) name else "ddim", prediction, alphaBars)
    }

    /** How far step [i] looks ahead: half its length, in units of the step before it. */
    private fun lookAhead(bars: List<Double>, i: Int): Double {
        val (last, here, next) = bars.subList(i - 1, i + 2).map { ln(it / (1 - it)) / 2 }
        return (next - here) / (2 * (here - last))
    }

    private fun step(
        t: Int,
        bar: Double,
        next: Double,
        eta: Double,
        ahead: Double,
    ): SamplerStep {
        val (signal, noise) = sqrt(bar) to sqrt(1 - bar)
        val sigma = eta * sqrt((1 - next) / (1 - bar)) * sqrt(1 - bar / next)
        // Rounding may take the difference just below 0 where eta = 1.
        val coefXt = sqrt(max(1 - next - sigma * sigma, 0.0)) / noise
        val coefX0 = sqrt(next) - coefXt * signal
        val (fromXt, fromPrediction) = when (prediction) {
            "eps" -> 1 / signal to -noise / signal
            "x0" -> 0.0 to 1.0
            "v" -> signal to -noise
            else -> throw IllegalArgumentException("Received: prediction=$prediction.")
        }
        return SamplerStep(
            t, fromXt.toFloat(), fromPrediction.toFloat(),
            (coefX0 * (1 + ahead)).toFloat(), coefXt.toFloat(),
            (0.0 - coefX0 * ahead).toFloat(), sigma.toFloat(), // no -0.0
        )
    }

    companion object {
        /** Read the field "sampler" of kgen.json. */
        fun of(json: JSONObject): SamplerTable {
            fun column(name: String) = json.getJSONArray(name).floats()
            val (fromXt, fromPrediction) = column("x0_from_xt") to column("x0_from_prediction")
            val (coefX0, coefXt) = column("coef_x0") to column("coef_xt")
            val (coefLast, sigma) = column("coef_last") to column("sigma")
            val steps = json.getJSONArray("timesteps").numbers().mapIndexed { i, t ->
                SamplerStep(
                    t.toInt(), fromXt[i], fromPrediction[i], coefX0[i], coefXt[i], coefLast[i],
                    sigma[i],
                )
            }
            val bars = json.getJSONArray("alpha_bars").numbers().toDoubleArray()
            return SamplerTable(steps, json.getString("name"), json.getString("prediction"), bars)
        }
    }
}
