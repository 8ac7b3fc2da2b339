func tables(_ manifest: Manifest, _ wanted: [[Double]]) throws -> [[[Double]]] {
    let table = try SamplerTable(kgenJSON: manifest.kgenJSON)
    return try wanted.map { row in
        try table.respaced(Int(row[0]), eta: row[1]).steps.map {
            [Double($0.timestep)]
                + [
                    $0.x0FromXt, $0.x0FromPrediction, $0.coefX0, $0.coefXt, $0.coefLast, $0.sigma,
                ].map(Double.init)
        }
    }
}
