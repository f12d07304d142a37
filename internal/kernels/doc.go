// Command kernels runs this module's tests inside other Linux kernels and holds
// what the module says there against what is true.
//
//	go run ./internal/kernels            # all kernels
//	go run ./internal/kernels 6.1 6.12   # some
//	go run ./internal/kernels -write     # all, and write docs/kernel-runs.md
//	go run ./internal/kernels -record    # all, and write internal/recorded
//
// The kernels are Debian's, one of each suite from the one whose kernel has no
// Multipath TCP to the newest, which is another one every few weeks and is held
// to what was true of the last. A kernel that was fetched once is used until
// -update says otherwise. apt-get fetches and verifies them, as packages of
// a cache directory of this user's: nothing is installed, and no privilege is
// needed. QEMU runs them without the processor's help, each in several guests, so
// that no processor waits for the last kernel. A guest's root file system holds
// nothing but static test binaries, ip(8) and ss(8), and, as init, a Go program. Its
// kernel puts programs at the same addresses each time and does not defend itself
// against attacks on the processor, which saves time.
//
// The guest's clock counts instructions (QEMU's -icount) and jumps where the
// guest would wait. So a slow or busy machine does not show in the guest, tests
// that take their time do not take the machine's, and a timeout means the same
// everywhere.
//
// Two things are checked. Every test of the packages in [suites] has a result, to
// which the exit code of its process fits, and passes, other than those that
// [differences] lists with the kernel, the reason, the words of the failure, and
// their number. And what the survey was told by the public API is true:
// see [truth].
package main
