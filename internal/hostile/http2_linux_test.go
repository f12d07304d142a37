package hostile

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// An h2 writes frames of HTTP/2 that a client may send and should not.
type h2 struct {
	bytes.Buffer
	*http2.Framer
	block bytes.Buffer
	hpack *hpack.Encoder
}

// newH2 begins as every client does. It takes as much as a server will send.
func newH2() *h2 {
	h := new(h2)
	h.WriteString(http2.ClientPreface)
	h.Framer = http2.NewFramer(&h.Buffer, nil)
	h.AllowIllegalWrites = true
	h.hpack = hpack.NewEncoder(&h.block)
	h.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: math.MaxInt32})
	h.WriteWindowUpdate(0, math.MaxInt32-1<<16)
	return h
}

// request is the header block of a POST to path, by gRPC or not.
func (h *h2) request(path string) []byte {
	h.block.Reset()
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", path},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		h.hpack.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return bytes.Clone(h.block.Bytes())
}

// open begins a request that goes on.
func (h *h2) open(id uint32, path string) {
	h.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.request(path), EndHeaders: true})
}

// send writes what has been collected.
func (h *h2) send(c net.Conn) error {
	_, err := h.WriteTo(c)
	return err
}

// grpcMessage is a message as it is in DATA frames.
func grpcMessage(m proto.Message) []byte {
	body, err := proto.Marshal(m)
	if err != nil {
		panic(err) // the messages are this package's
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

// Paths of the gRPC server.
const (
	unary = "/grpc.testing.TestService/UnaryCall"
	deaf  = "/grpc.testing.TestService/StreamingInputCall"
	gives = "/grpc.testing.TestService/StreamingOutputCall"
)

// garbage sends frames of any type with any flags, after a proper beginning.
func garbage(c *net.TCPConn, i int) {
	r := rand.New(rand.NewPCG(uint64(i), 2))
	h := newH2()
	for range 1 + r.IntN(20) {
		h.WriteRawFrame(http2.FrameType(r.IntN(12)), http2.Flags(r.Uint32()), r.Uint32N(8), make([]byte, r.IntN(200)))
	}
	h.send(c)
	listen(c)
}

// rapidReset begins requests and takes each back at once.
func rapidReset(path string) func(*net.TCPConn, int) {
	return func(c *net.TCPConn, _ int) {
		h := newH2()
		for id := uint32(1); id < 2000; id += 2 {
			h.open(id, path)
			h.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		h.send(c)
		listen(c)
	}
}

// continuation sends a header that never ends.
func continuation(c *net.TCPConn, _ int) {
	h := newH2()
	h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.request(unary)})
	h.block.Reset()
	h.hpack.WriteField(hpack.HeaderField{Name: "x-more", Value: string(bytes.Repeat([]byte{'y'}, 8<<10)), Sensitive: true})
	for range 512 { // 4 MiB
		h.WriteContinuation(1, false, h.block.Bytes())
		if h.send(c) != nil {
			return
		}
	}
	listen(c)
}

// stuffs sends to a stream that nobody reads: every other client as much as it
// may, and stays; the others a multiple of that, until they are thrown out.
func stuffs(path string) func(*net.TCPConn, int) {
	return func(c *net.TCPConn, i int) {
		h := newH2()
		h.open(1, path)
		frame := make([]byte, 16<<10)
		n := 15 << 20 / len(frame)
		if i%2 == 0 {
			n = 64 << 20 / len(frame)
		}
		for range n {
			h.WriteData(1, false, frame)
			if h.send(c) != nil {
				return
			}
		}
		stay(c)
	}
}

// hears asks for much and reads none of it.
func hears(path string) func(*net.TCPConn, int) {
	return func(c *net.TCPConn, _ int) {
		c.SetReadBuffer(1)
		h := newH2()
		h.open(1, path)
		h.WriteData(1, true, grpcMessage(new(testpb.StreamingOutputCallRequest)))
		h.send(c)
		stay(c)
	}
}
