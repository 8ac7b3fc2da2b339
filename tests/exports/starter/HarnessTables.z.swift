func tables(_ manifest: Manifest, _ wanted: [[Double]]) throws -> [[[Double]]] {
    []
}
