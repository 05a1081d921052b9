package main

import (
	"encoding/binary"
	"net"
)

// mechanisms is what kfake knows. A broker names what it knows in its answer to a handshake, and clients look there; kfake
// does so only where it refuses.
var mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

const (
	handshake   = 17
	sizeBytes   = 4
	emptyAnswer = sizeBytes + 4 + 2 + 4 // its size, the request's number, no error, and none named
)

// naming adds them to the answers of a listener's connections.
type naming struct{ net.Listener }

func (l naming) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &namingConn{Conn: conn}, nil
}

// namingConn is read frame by frame: the size, and then the rest.
type namingConn struct {
	net.Conn
	asked bool
}

func (c *namingConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if len(into) > sizeBytes && n > sizeBytes {
		c.asked = binary.BigEndian.Uint16(into) == handshake
	}
	return n, err
}

func (c *namingConn) Write(answer []byte) (int, error) {
	if !c.asked || len(answer) != emptyAnswer {
		return c.Conn.Write(answer)
	}
	named := append([]byte{}, answer[:emptyAnswer-4]...)
	named = binary.BigEndian.AppendUint32(named, uint32(len(mechanisms)))
	for _, mechanism := range mechanisms {
		named = binary.BigEndian.AppendUint16(named, uint16(len(mechanism)))
		named = append(named, mechanism...)
	}
	binary.BigEndian.PutUint32(named, uint32(len(named)-sizeBytes))
	if _, err := c.Conn.Write(named); err != nil {
		return 0, err
	}
	return len(answer), nil
}
