import KgenCore
import SwiftUI

/// The app's one screen: a seed, its picture, and the test of this device.
struct ContentView: View {
    @StateObject private var screen = Screen()

    var body: some View {
        Form {
            Section {
                picture
                ProgressView(value: screen.progress)
                Text(screen.message).font(.footnote)
            }
            Section {
                LabeledContent("Seed") {
                    TextField("Seed", value: $screen.seed, format: .number.grouping(.never))
                        .keyboardType(.numberPad)
                        .multilineTextAlignment(.trailing)
                }
                choice("How it is drawn", $screen.way, screen.titles)
                choice("What is drawn", $screen.label, screen.labels)
                Button("Draw", action: screen.draw)
                Button("Another", action: screen.drawAnother)
            }
            .disabled(screen.titles.isEmpty)
            Section("Is it the model's picture?") {
                Button("Test this device", action: screen.test)
                    .disabled(screen.titles.isEmpty)
                ForEach(screen.checks, content: row)
            }
        }
        .task { await screen.open() }
    }

    @ViewBuilder private var picture: some View {
        if let image = screen.picture {
            // Small pictures are shown with their pixels, not blurred.
            Image(image, scale: 1, label: Text("The picture that the model drew"))
                .interpolation(.none)
                .resizable()
                .scaledToFit()
        }
    }

    /// A choice, where there is one to make.
    @ViewBuilder private func choice(
        _ title: String, _ selection: Binding<Int>, _ names: [String]
    ) -> some View {
        if names.count > 1 {
            Picker(title, selection: selection) {
                ForEach(names.indices, id: \.self) { Text(names[$0]) }
            }
        }
    }

    private func row(_ check: Check) -> some View {
        VStack(alignment: .leading) {
            Label(
                check.title,
                systemImage: check.passed ? "checkmark.circle.fill" : "xmark.octagon.fill"
            )
            .foregroundStyle(check.passed ? Color.green : Color.red)
            Text(
                String(
                    format: "Largest error %.2g, %.1f dB (%@)", check.maxAbs, check.psnr,
                    check.limit)
            )
            .font(.footnote)
        }
    }
}
