import CoreGraphics
import Foundation
import KgenCore

/// A picture's values as an image.
func cgImage(_ picture: [Float], _ image: ImageSpec) -> CGImage? {
    guard let provider = CGDataProvider(data: Data(rgba(picture, image)) as CFData) else {
        return nil
    }
    return CGImage(
        width: image.width, height: image.height, bitsPerComponent: 8, bitsPerPixel: 32,
        bytesPerRow: 4 * image.width, space: CGColorSpaceCreateDeviceRGB(),
        bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.noneSkipLast.rawValue),
        provider: provider, decode: nil, shouldInterpolate: false, intent: .defaultIntent)
}
