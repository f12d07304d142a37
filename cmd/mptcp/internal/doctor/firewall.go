package doctor

import (
	"bytes"
	"encoding/binary"
)

// Numbers of linux/netfilter/nf_tables.h, nf_tables_compat.h, xt_tcpudp.h,
// xt_TCPOPTSTRIP.h and linux/tcp.h.
const (
	ruleTable       = 1
	ruleChain       = 2
	ruleHandle      = 3
	ruleExpressions = 4

	exprName = 1
	exprData = 2

	exthdrDreg  = 1
	exthdrType  = 2
	exthdrFlags = 5
	exthdrOp    = 6

	cmpSreg = 1
	cmpOp   = 2
	cmpData = 3

	immediateDreg = 1
	immediateData = 2
	dataValue     = 1
	dataVerdict   = 2
	verdictCode   = 1

	xtName = 1
	xtInfo = 3

	opTCPOption = 1 // NFT_EXTHDR_OP_TCPOPT
	present     = 1 // NFT_EXTHDR_F_PRESENT
	equal       = 0 // NFT_CMP_EQ
	notEqual    = 1 // NFT_CMP_NEQ
	optionMPTCP = 30
	verdictDrop = 0
)

// firewallFamilies are those of the tables that packets of TCP pass.
var firewallFamilies = map[uint8]string{1: "inet", 2: "ip", 5: "netdev", 7: "bridge", 10: "ip6"}

// parseFirewallRule decodes the message of one rule: struct nfgenmsg and
// attributes, with numbers in the order of the network. ok is false if the rule
// does no harm to Multipath TCP.
func parseFirewallRule(b []byte) (r FirewallRule, ok bool) {
	const nfgenmsg = 4
	if len(b) < nfgenmsg {
		return FirewallRule{}, false
	}
	if r.Family, ok = firewallFamilies[b[0]]; !ok {
		return FirewallRule{}, false
	}
	var e expressions
	eachAttr(b[nfgenmsg:], func(typ uint16, v []byte) {
		switch typ {
		case ruleTable:
			r.Table = cString(v)
		case ruleChain:
			r.Chain = cString(v)
		case ruleHandle:
			if len(v) >= 8 {
				r.Handle = binary.BigEndian.Uint64(v)
			}
		case ruleExpressions:
			eachAttr(v, func(_ uint16, v []byte) { e.read(attrs(v)) })
		}
	})
	r.Does = e.does
	return r, e.carries && r.Does != ""
}

// expressions is what is known of a rule after some of its expressions, which
// the kernel evaluates in their order.
type expressions struct {
	carries bool   // packets that get here carry the option
	does    string // what becomes of them
	asked   []byte // the register that says whether they do
}

func (e *expressions) read(expr map[uint16][]byte) {
	data := attrs(expr[exprData])
	switch cString(expr[exprName]) {
	case "exthdr":
		if number(data[exthdrOp]) != opTCPOption || len(data[exthdrType]) == 0 || data[exthdrType][0] != optionMPTCP {
			return
		}
		switch dreg, loads := data[exthdrDreg]; {
		case !loads: // it changes the option, or takes it away
			e.carries, e.does = true, "strip"
		case len(data[exthdrFlags]) >= 4 && number(data[exthdrFlags])&present != 0:
			e.asked = dreg
		default: // what it loads is of a packet that has the option: others go on to the next rule
			e.carries = true
		}
	case "cmp":
		if e.asked == nil || !bytes.Equal(data[cmpSreg], e.asked) {
			return
		}
		e.asked = nil // the register is for something else now
		value, op := attrs(data[cmpData])[dataValue], number(data[cmpOp])
		if len(value) == 0 {
			return
		}
		e.carries = e.carries || op == equal && value[0] != 0 || op == notEqual && value[0] == 0
	case "immediate":
		if drops(data) {
			e.does = "drop"
		}
	case "reject":
		e.does = "reject"
	case "match", "target": // of iptables-nft
		e.extension(cString(data[xtName]), data[xtInfo])
	}
}

// extension reads what iptables-nft puts into a rule as iptables-legacy has it.
func (e *expressions) extension(name string, info []byte) {
	switch {
	case name == "tcp" && len(info) >= 12:
		const option, inverted, isInverted = 8, 11, 8 // in struct xt_tcp
		e.carries = e.carries || info[option] == optionMPTCP && info[inverted]&isInverted == 0
	case name == "REJECT":
		e.does = "reject"
	case name == "TCPOPTSTRIP" && len(info) >= 32: // a set of bits, in words
		if binary.NativeEndian.Uint32(info)&(1<<optionMPTCP) != 0 {
			e.carries, e.does = true, "strip"
		}
	}
}

// drops says whether an immediate expression is the verdict "drop".
func drops(data map[uint16][]byte) bool {
	code, ok := attrs(attrs(data[immediateData])[dataVerdict])[verdictCode]
	return ok && number(data[immediateDreg]) == 0 /* NFT_REG_VERDICT */ && number(code) == verdictDrop
}

// attrs are netlink attributes by their type.
func attrs(b []byte) map[uint16][]byte {
	m := make(map[uint16][]byte)
	eachAttr(b, func(typ uint16, v []byte) { m[typ] = v })
	return m
}

// number is what is not there if it is too short: no number that means anything
// here.
func number(b []byte) uint32 {
	if len(b) < 4 {
		return 1<<32 - 1
	}
	return binary.BigEndian.Uint32(b)
}

func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// eachAttr calls f for each netlink attribute in b and stops at the first
// malformed one.
func eachAttr(b []byte, f func(typ uint16, value []byte)) {
	const typeMask = 1<<14 - 1 // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&typeMask, b[4:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}
