// swift-tools-version:5.9
import PackageDescription

// What needs no iOS: noise, drawing, self-test. It builds on macOS and Linux too.
let package = Package(
    name: "KgenCore",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "KgenCore", targets: ["KgenCore"])],
    targets: [.target(name: "KgenCore")]
)
