// Noise for kgen's models, as docs/noise.md of kgen specifies it. No dependencies but Foundation,
// for its logarithm, cosine and sine. Compared with kgen by make test-starters, with Swift
// 6.0.3 on Linux. Not run on a phone.

import Foundation

enum KgenNoise {
    /// The four random words of a block: Philox4x32-10.
    static func words(seed: UInt64, block: UInt64, stream: UInt64 = 0) -> [UInt32] {
        let low: UInt64 = 0xFFFF_FFFF
        var (k0, k1) = (seed & low, seed >> 32)
        var (c0, c1, c2, c3) = (block & low, block >> 32, stream & low, stream >> 32)
        for _ in 0..<10 {
            let p0 = 0xD251_1F53 * c0  // two words of 32 bits: 64 bits hold their product
            let p1 = 0xCD9E_8D57 * c2
            (c0, c1) = ((p1 >> 32) ^ c1 ^ k0, p1 & low)
            (c2, c3) = ((p0 >> 32) ^ c3 ^ k1, p0 & low)
            (k0, k1) = ((k0 + 0x9E37_79B9) & low, (k1 + 0xBB67_AE85) & low)
        }
        return [c0, c1, c2, c3].map { UInt32($0) }
    }

    /// `count` standard normals, from element `start` of the stream on.
    static func normal(seed: UInt64, count: Int, stream: UInt64 = 0, start: UInt64 = 0) -> [Float] {
        var noise: [Float] = []
        noise.reserveCapacity(count)
        var four: [Float] = []
        for i in 0..<UInt64(count) {
            let lane = Int((start + i) % 4)
            if i == 0 || lane == 0 {
                four = block(words(seed: seed, block: (start + i) / 4, stream: stream))
            }
            noise.append(four[lane])
        }
        return noise
    }

    /// The four normals of a block: Box-Muller, in Double.
    private static func block(_ words: [UInt32]) -> [Float] {
        let u = words.map { (Double($0) + 0.5) / 4294967296.0 }
        return [0, 2].flatMap { i -> [Float] in
            let radius = sqrt(-2.0 * log(u[i])), angle = 2.0 * Double.pi * u[i + 1]
            return [Float(radius * cos(angle)), Float(radius * sin(angle))]
        }
    }
}
