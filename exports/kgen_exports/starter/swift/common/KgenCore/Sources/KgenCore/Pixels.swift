/// The bytes of a picture's values, four for each pixel: red, green, blue, 255.
public func rgba(_ picture: [Float], _ image: ImageSpec) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * image.height * image.width)
    for first in stride(from: 0, to: image.size, by: image.channels) {
        for channel in 0..<3 {
            let value = picture[first + channel % image.channels]
            let byte = ((value - image.low) * 255 / (image.high - image.low)).rounded()
            // NaN of a broken file must be seen, not stop the app: UInt8 refuses it.
            bytes.append(byte.isNaN ? 0 : UInt8(min(max(byte, 0), 255)))
        }
        bytes.append(255)
    }
    return bytes
}
