import Foundation

/// The six numbers of a step: docs/manifest.md of kgen, "sampler".
struct SamplerStep {
    let timestep: Int32
    let x0FromXt: Float
    let x0FromPrediction: Float
    let coefX0: Float
    let coefXt: Float
    let coefLast: Float
    let sigma: Float
}

/// The steps of a diffusion sampler in the order they are taken, from the most noise to none.
struct SamplerTable {
    let steps: [SamplerStep]
    /// dpmpp, ddim or ddpm.
    private let name: String
    /// What the denoiser predicts: eps, x0 or v.
    private let prediction: String
    /// Shares of x0's variance left in xt, one per timestep of the chain that it was trained on.
    private let alphaBars: [Double]

    private init(steps: [SamplerStep], name: String, prediction: String, alphaBars: [Double]) {
        self.steps = steps
        self.name = name
        self.prediction = prediction
        self.alphaBars = alphaBars
    }

    /// Read the field "sampler" of kgen.json.
    init(kgenJSON: Data) throws {
        let columns = try Manifest.decoder.decode(Columns.Manifest.self, from: kgenJSON).sampler
        let steps = columns.timesteps.indices.map { i in
            SamplerStep(
                timestep: columns.timesteps[i], x0FromXt: columns.x0FromXt[i],
                x0FromPrediction: columns.x0FromPrediction[i], coefX0: columns.coefX0[i],
                coefXt: columns.coefXt[i], coefLast: columns.coefLast[i], sigma: columns.sigma[i])
        }
        self.init(
            steps: steps, name: columns.name, prediction: columns.prediction,
            alphaBars: columns.alphaBars)
    }

    /// The table with another number of steps on the same chain: fewer are faster and coarser.
    ///
    /// Of dpmpp it is dpmpp again, of ddim and ddpm it is ddim. Source: Song et al. (2021), eq. 12
    /// and 16; Lu et al. (2022, DPM-Solver++), Algorithm 2.
    ///
    /// - Parameter eta: the noise, 0 (none) to 1.
    func respaced(_ numSteps: Int, eta: Double = 0) throws -> SamplerTable {
        let chain = alphaBars.count
        guard (1...chain).contains(numSteps) else {
            throw StarterError("Steps are 1 to \(chain). Received: numSteps=\(numSteps).")
        }
        guard (0...1).contains(eta) else {
            throw StarterError("eta is 0 to 1. Received: eta=\(eta).")
        }
        // Halves are rounded to even, as NumPy does.
        let timesteps = (0..<numSteps).map {
            let place = Double(chain) - Double($0) * Double(chain) / Double(numSteps)
            return Int(place.rounded(.toNearestOrEven)) - 1
        }
        let bars = timesteps.map { alphaBars[$0] }
        let multistep = name == "dpmpp"
        let made = try timesteps.enumerated().map { i, t in
            let next = i + 1 < numSteps ? bars[i + 1] : 1
            let ahead = multistep && i > 0 && i + 1 < numSteps ? lookAhead(bars, i) : 0
            return try step(t, bars[i], next, eta, ahead)
        }
        return SamplerTable(
            steps: made, name: multistep ? name : "ddim", prediction: prediction,
            alphaBars: alphaBars)
    }

    /// How far step `i` looks ahead: half its length, in units of the step before it.
    private func lookAhead(_ bars: [Double], _ i: Int) -> Double {
        let lambdas = bars[(i - 1)...(i + 1)].map { log($0 / (1 - $0)) / 2 }
        return (lambdas[2] - lambdas[1]) / (2 * (lambdas[1] - lambdas[0]))
    }

    private func step(
        _ t: Int, _ bar: Double, _ next: Double, _ eta: Double, _ ahead: Double
    ) throws -> SamplerStep {
        let (signal, noise) = (bar.squareRoot(), (1 - bar).squareRoot())
        let share = ((1 - next) / (1 - bar)).squareRoot()
        let sigma = eta * share * (1 - bar / next).squareRoot()
        // Rounding may take the difference just below 0 where eta = 1.
        let coefXt = max(1 - next - sigma * sigma, 0).squareRoot() / noise
        let coefX0 = next.squareRoot() - coefXt * signal
        let weights: (fromXt: Double, fromPrediction: Double)
        switch prediction {
        case "eps": weights = (1 / signal, -noise / signal)
        case "x0": weights = (0, 1)
        case "v": weights = (signal, -noise)
        default: throw StarterError("Received: prediction=\(prediction).")
        }
        return SamplerStep(
            timestep: Int32(t), x0FromXt: Float(weights.fromXt),
            x0FromPrediction: Float(weights.fromPrediction),
            coefX0: Float(coefX0 * (1 + ahead)), coefXt: Float(coefXt),
            coefLast: Float(0 - coefX0 * ahead),  // no -0.0
            sigma: Float(sigma))
    }
}

private struct Columns: Decodable {
    let name, prediction: String
    let timesteps: [Int32]
    let x0FromXt, x0FromPrediction, coefX0, coefXt, coefLast, sigma: [Float]
    let alphaBars: [Double]

    struct Manifest: Decodable {
        let sampler: Columns
    }
}
