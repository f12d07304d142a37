// Package table makes docs/interop.md of the results that the tests of this
// module have recorded, and checks that it says no more and no less than they
// do.
package table
