// Package pages has the code that the pages in docs quote. Its tests run that
// code, and hold the pages to it: what a page shows is what was run.
package pages
