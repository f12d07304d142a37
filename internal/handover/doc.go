// Package handover has no code. Its tests take paths away from under gRPC
// streams and check that nothing is lost, and its benchmark measures how long
// the streams stand still:
//
//	go test ./internal/handover -run=TestHandover -handover.n=100 -handover.workers=18 -timeout=40m
//	go test ./internal/handover -run=NONE -bench=Handover -benchtime=9x -handover.workers=14
//	go test ./internal/handover -run=NONE -bench=Levers -benchtime=3x -handover.workers=20
//	HANDOVER_SOAK=10m go test ./internal/handover -run=TestSoak -timeout=20m
//
// docs/handover.md has the results and what they mean.
package handover
