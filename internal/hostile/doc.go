// Package hostile tests that servers on listeners of package transport go on
// serving while clients do their worst, and keep nothing of it.
package hostile
