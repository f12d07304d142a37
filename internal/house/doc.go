// Package house has no code. Its tests hold the rules of the repository that
// no compiler checks: who may import what, and that the README tells the truth.
package house
