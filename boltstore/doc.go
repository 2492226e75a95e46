// Package boltstore keeps sessions in one file, with no server: an embedded driver over bbolt (go.etcd.io/bbolt). It is
// for programs that run on one machine as one process, for development, and for tests.
//
// [Open] returns a session store over a file; [OpenDriver] returns the driver alone, with options of its own.
//
// # Guarantees
//
//   - The whole contract of package storage: conditions are judged and writes applied in one step, Acquire, Move and
//     Scan included.
//   - A write returns once it is on the disk (fdatasync), not before. It survives a crash of the process, and of the
//     machine as far as the disk keeps its word.
//   - A crash at any moment leaves the file whole: it opens again, with every acknowledged write and no part of any
//     other.
//   - Writes that arrive at the same time share one wait for the disk. A lone write waits for nothing but the disk.
//   - The file does not grow for ever: each write also removes a few records whose expiry, and a grace of a minute,
//     have passed. The room that they took is used again.
//   - Reads do not wait for writes, nor writes for reads, save where the file has to become larger.
//   - A file that is in use elsewhere is reported as [ErrInUse] within a second; nothing hangs. A full disk is
//     [ErrFull], a closed driver [ErrClosed]: nothing is written then. A full file can still be read, and written once
//     there is room.
//   - A write whose very last wait for the disk failed may not survive a crash: it matches storage.ErrOutcomeUnknown.
//     Of every other error it is certain that nothing was written.
//   - A damaged record is noticed by its checksum: it is a *storage.CorruptError, never wrong data.
//   - Files are made with mode 0600. There is no goroutine and no timer of this package.
//
// # Non-guarantees
//
//   - One file is for one process on one machine. Do not keep it on a network file system: its locks and its memory
//     maps are not those of a local disk.
//   - The file never becomes smaller. To shrink it, copy it with the bbolt command: bbolt compact.
//   - A write costs some pages of (mostly) 4 KB and two waits for the disk, however small it is; an Update rewrites the
//     whole record. It is good at payloads of up to a few KB. A record takes 16 MiB at most.
//   - A read may see a write an instant before it is acknowledged.
//   - bbolt checks its own pages only in part. On a file whose pages were damaged by something else, such as a failing
//     disk, an operation may panic.
//   - Nothing is encrypted here: see sessionstore.WithSecret.
//
// # Backup
//
// Copy the file while no process has it open. From the running program, [Driver.WriteTo] writes a consistent copy. A
// copy made in any other way while the file is in use may not open.
package boltstore
