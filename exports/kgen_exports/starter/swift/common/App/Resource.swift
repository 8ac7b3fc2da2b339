import Foundation
import KgenCore

/// The place of a file in the app's bundle.
func resource(_ path: String) throws -> URL {
    guard let url = Bundle.main.url(forResource: path, withExtension: nil) else {
        throw StarterError("\(path) is not in the app. Add it to App/Resources.")
    }
    return url
}
