import ExampleCommandLine
import ExampleSupport
import Foundation

/// Where a run leaves its files. Making one finds out before the training whether they can be written.
struct OutputFolder {
    let path: String

    /// - Throws: `OutputFolderError` where an earlier run's files would be lost, `FileWriteError` where nothing can be
    ///   written.
    init(_ path: String, losses: [LossName], resume: Bool, overwrite: Bool) throws {
        self.path = path
        try makeOutputFolder(path)
        let checkpoints = losses.map(checkpoint)
        if !resume, !overwrite, let old = checkpoints.first(where: \.exists) {
            throw OutputFolderError(
                path: path,
                reason: "\(old.path) is there from an earlier run; --resume goes on from it, --overwrite replaces it")
        }
        if resume, !checkpoints.contains(where: \.exists) {
            throw OutputFolderError(
                path: path, reason: "no checkpoint to resume: \(checkpoints.map(\.path).joined(separator: ", "))")
        }
        for file in checkpoints.map({ WritableFile($0.path) }) + [report, curves] { try file.check() }
        // An earlier run's checkpoints go now: what --resume finds later is this run's.
        if overwrite {
            for old in checkpoints where old.exists { try FileManager.default.removeItem(atPath: old.path) }
        }
    }

    private func file(_ name: String) -> String { (path as NSString).appendingPathComponent(name) }

    func checkpoint(_ loss: LossName) -> CheckpointFile { CheckpointFile(path: file("\(loss.rawValue).safetensors")) }
    var report: WritableFile { WritableFile(file("report.json")) }
    var curves: WritableFile { WritableFile(file("curves.svg")) }
}
