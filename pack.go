package mptcp

// A table entry keeps what it knows in two words, so that it is small and can
// be read and written without a lock.

const packedKnown = 1 << 31

// packFinal packs a status that will not change any more. It is never zero.
func packFinal(s Status) uint32 {
	return packedKnown | uint32(s.State)<<8 | uint32(s.Reason)
}

func unpackFinal(v uint32) Status {
	return Status{State: State(v >> 8 & 0x7f), Reason: Reason(v)}
}

// packLast packs the newest status of a connection that has not fallen back:
// what is reported once the connection is closed.
func packLast(s Status) uint64 {
	v := uint64(s.Token)<<32 | uint64(s.State)<<8 | uint64(s.Reason)
	if s.Confirmed {
		v |= 1 << 16
	}
	if s.Checksum {
		v |= 1 << 17
	}
	return v
}

func unpackLast(v uint64) Status {
	return Status{
		State:     State(v >> 8 & 0xff),
		Reason:    Reason(v & 0xff),
		Confirmed: v&(1<<16) != 0,
		Checksum:  v&(1<<17) != 0,
		Token:     uint32(v >> 32),
	}
}
