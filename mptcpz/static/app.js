"use strict";

// Everything that is shown is put in as text: names and addresses come from
// the network.

const $ = (id) => document.getElementById(id);
const el = (tag, className, ...children) => {
	const e = document.createElement(tag);
	if (className) e.className = className;
	e.append(...children);
	return e;
};
const svg = (tag, attributes) => {
	const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	return e;
};
const icon = (name) => {
	const e = svg("svg", { class: "icon", "aria-hidden": "true", focusable: "false" });
	e.append(svg("use", { href: "#i-" + name }));
	return e;
};
const turn = (holder, name) => {
	const use = holder.querySelector("use");
	if (use.getAttribute("href") !== "#i-" + name) use.setAttribute("href", "#i-" + name);
};
const put = (e, text) => {
	if (e.textContent !== text) e.textContent = text;
};

const kinds = ["multipath", "fallback", "tcp", "unknown"];
const kindNames = { multipath: "Multipath", fallback: "Fallback", tcp: "TCP", unknown: "Unknown" };
const nbsp = "\u00a0";

// ---- numbers

function digits(v) {
	if (v >= 99.95) return v.toFixed(0);
	if (v >= 9.995) return v.toFixed(1);
	return v.toFixed(2);
}
function unit(v, units, name) {
	let i = 0;
	while (v >= 999.5 && i < units.length - 1) {
		v /= 1000;
		i++;
	}
	return (i === 0 ? v.toFixed(0) : digits(v)) + nbsp + units[i] + name;
}
const rateText = (bytes) => unit(bytes * 8, ["", "k", "M", "G", "T"], "bit/s");
const sizeText = (bytes) => unit(bytes, ["", "k", "M", "G", "T", "P"], "B");
const timeText = (ms) => (ms >= 1000 ? digits(ms / 1000) + nbsp + "s" : digits(ms) + nbsp + "ms");
const shareText = (part) => (part > 0 && part < 0.001 ? "<" + nbsp + "0.1" + nbsp + "%" : (part * 100).toFixed(part > 0 && part < 0.1 ? 1 : 0) + nbsp + "%");
const countText = (n) => n.toLocaleString("en");
function ageText(ms) {
	const s = Math.max(0, Math.round(ms / 1000));
	if (s < 60) return s + nbsp + "s";
	if (s < 3600) return Math.floor(s / 60) + nbsp + "min";
	if (s < 86400) return Math.floor(s / 3600) + nbsp + "h " + Math.floor((s % 3600) / 60) + nbsp + "min";
	return Math.floor(s / 86400) + nbsp + "d " + Math.floor((s % 86400) / 3600) + nbsp + "h";
}
const clock = (t) => new Date(t).toTimeString().slice(0, 8);

// ---- charts

const span = 60; // seconds, at most
const shortest = 15;
const height = 24;
let begun = 0; // when the first sample was taken
let wide = shortest; // seconds that charts show: all since then, up to span

// A Trace is a line in time, of the last minute.
class Trace {
	points = []; // [seconds, value or null]
	add(t, v) {
		this.points.push([t, v]);
		while (this.points.length && this.points[0][0] < t - span) this.points.shift();
	}
	get last() {
		return this.points.length ? this.points[this.points.length - 1][1] : null;
	}
	get peak() {
		return this.points.reduce((m, p) => Math.max(m, p[1] ?? 0), 0);
	}
}

// A Chart draws a Trace. It is decoration: the numbers stand beside it.
class Chart {
	constructor(trace) {
		this.node = svg("svg", { class: "chart", viewBox: `0 0 ${span} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
		this.node.dataset.trace = trace;
		this.area = svg("path", { class: "area" });
		this.line = svg("path", { class: "line" });
		this.end = svg("path", { class: "end" });
		this.node.append(svg("path", { class: "base", d: `M0 ${height}H${span}` }), this.area, this.line, this.end);
	}
	draw(trace, now, top) {
		let line = "", area = "", end = "", open = null;
		const close = (x) => {
			if (open !== null) area += `L${x} ${height}H${open}Z`;
			open = null;
		};
		let x = 0;
		for (const [t, v] of trace.points) {
			if (v === null) {
				close(x);
				continue;
			}
			const y = (height - (top > 0 ? Math.min(v / top, 1) : 0) * (height - 2)).toFixed(1);
			x = Math.max(0, span - (now - t) * (span / wide)).toFixed(1);
			if (open === null) {
				line += `M${x} ${y}`;
				area += `M${x} ${height}L${x} ${y}`;
				open = x;
			} else {
				line += `L${x} ${y}`;
				area += `L${x} ${y}`;
			}
			end = `M${x} ${y}h0`;
		}
		close(x);
		this.line.setAttribute("d", line);
		this.area.setAttribute("d", area);
		this.end.setAttribute("d", top > 0 && trace.peak > 0 ? end : "");
	}
}

// A Figure is a number, its peak, and a chart.
class Figure {
	constructor(trace, label) {
		this.now = el("span", "now");
		this.peak = el("div", "peak");
		this.chart = new Chart(trace);
		this.nodes = [el("div", "figure", el("span", "label", label), this.now), this.chart.node, this.peak];
	}
	draw(trace, now, top, text) {
		put(this.now, trace.last === null ? "–" : text(trace.last));
		this.now.className = trace.last ? "now" : "now zero";
		put(this.peak, trace.peak > 0 ? "max" + nbsp + text(trace.peak) : "");
		this.chart.draw(trace, now, top);
	}
}

// ---- history, which only this page has: the server keeps one sample

const histories = new Map(); // "connection/subflow" -> History, the least recently seen first
const maxHistories = 1000;

class History {
	send = new Trace();
	receive = new Trace();
	time = new Trace();
	loss = new Trace();
	before = []; // the last seconds, oldest first
	add(t, f) {
		const b = this.before[this.before.length - 1];
		const d = b ? t - b.t : 0;
		if (b && d < 0.05) return; // the same sample again
		const known = b && d < 5 && f.sent >= b.sent && f.received >= b.received;
		if (!known) this.before = [];
		this.before.push({ t, sent: f.sent, received: f.received, again: f.retransmitted });
		if (this.before.length > 6) this.before.shift();
		this.send.add(t, known ? (f.sent - b.sent) / d : null);
		this.receive.add(t, known ? (f.received - b.received) / d : null);
		this.time.add(t, f.rtt_ms > 0 ? f.rtt_ms : null);
		// Over some seconds: what is sent again was sent a while before. Who
		// sends nothing loses nothing, and does not know what would be lost.
		const sent = f.sent - this.before[0].sent, again = f.retransmitted - this.before[0].again;
		this.loss.add(t, sent > 0 ? Math.min(1, Math.max(0, again / sent)) : null);
	}
}
function historyOf(key) {
	const h = histories.get(key) ?? new History();
	histories.delete(key);
	histories.set(key, h);
	if (histories.size > maxHistories) histories.delete(histories.keys().next().value);
	return h;
}

// ---- what to look at, which is in the address of the page too

const view = { page: 1, sort: "newest", state: "", reason: "", role: "", q: "" };
{
	const given = new URLSearchParams(location.search);
	for (const k of Object.keys(view)) if (given.has(k)) view[k] = k === "page" ? Math.max(1, Number.parseInt(given.get(k), 10) || 1) : given.get(k);
	for (const k of ["q", "role", "sort"]) $(k).value = view[k];
}
function parameters() {
	const p = new URLSearchParams();
	for (const [k, v] of Object.entries(view)) if (v && !(k === "page" && v === 1) && !(k === "sort" && v === "newest")) p.set(k, v);
	return p.toString();
}
let announceList = false;
function look(change) {
	Object.assign(view, { page: 1 }, change);
	const p = parameters();
	history.replaceState(null, "", p ? "?" + p : location.pathname);
	announceList = true;
	listen();
}

// ---- the host

function showHost(h, first) {
	const able = h.able === true ? "yes" : h.able === false ? "no" : "unknown";
	const was = $("host").dataset.able;
	$("host").dataset.able = able;
	turn($("host"), able === "yes" ? "yes" : "no");
	put($("host-title"), { yes: "This host can use Multipath TCP", no: "This host cannot use Multipath TCP", unknown: "Whether this host can use Multipath TCP could not be told" }[able]);
	$("host-text").hidden = able === "yes";
	put($("host-text"), h.explain);
	$("host-do").hidden = !h.command;
	put($("host-command"), h.command ?? "");
	if (!first && was !== able) say($("host-title").textContent);
}

// ---- the summary

const tiles = {};
const totals = { send: new Trace(), receive: new Trace() };
for (const kind of kinds) {
	const t = {
		count: el("span", "count", "–"),
		share: el("span", "share"),
		bar: el("span"),
	};
	t.node = el("button", "tile", el("span", "name", icon(kind), kindNames[kind]), t.count, t.share);
	t.node.type = "button";
	t.node.dataset.kind = t.bar.dataset.kind = kind;
	t.node.setAttribute("aria-pressed", "false");
	t.node.addEventListener("click", () => look({ state: view.state === kind && !view.reason ? "" : kind, reason: "" }));
	tiles[kind] = t;
	$("tiles").append(t.node);
	$("bar").append(t.bar);
}
const flow = { send: new Chart("send"), receive: new Chart("receive"), sendNow: el("span", "now", "–"), receiveNow: el("span", "now", "–") };
{
	const half = (name, now, chart) => el("div", "", el("div", "name", name), now, chart.node);
	$("tiles").append(el("div", "flow", half("Multipath sending", flow.sendNow, flow.send), half("Multipath receiving", flow.receiveNow, flow.receive)));
}

let lastFallbacks = null;
function showSummary(s, t, known, first) {
	for (const kind of kinds) {
		const n = s[kind], tile = tiles[kind];
		put(tile.count, countText(n));
		tile.node.dataset.count = n;
		let share = s.total && n ? shareText(n / s.total) + " of all" : "";
		if (kind === "multipath" && s.several_subflows) share = countText(s.several_subflows) + " with several subflows";
		put(tile.share, share);
		tile.node.setAttribute("aria-pressed", String(view.state === kind));
		tile.node.hidden = kind === "unknown" && n === 0 && view.state !== kind;
		tile.bar.style.flexGrow = n;
		tile.bar.hidden = n === 0;
	}
	totals.send.add(t, known ? s.sent_bytes_per_s : null);
	totals.receive.add(t, known ? s.received_bytes_per_s : null);
	const top = Math.max(totals.send.peak, totals.receive.peak);
	flow.send.draw(totals.send, t, top);
	flow.receive.draw(totals.receive, t, top);
	put(flow.sendNow, known ? rateText(s.sent_bytes_per_s) : "–");
	put(flow.receiveNow, known ? rateText(s.received_bytes_per_s) : "–");

	const single = s.one_subflow > 0 && s.several_subflows === 0;
	if (single && $("paths-hint").hidden) {
		$("paths-hint").replaceChildren("Each Multipath TCP connection has one path now. For more, name the address of a second uplink on the client, as root: ",
			el("code", "", "ip mptcp endpoint add ADDRESS dev INTERFACE subflow"));
	}
	$("paths-hint").hidden = !single;

	$("why").hidden = s.reasons.length === 0;
	keyed($("why-list"), s.reasons, (r) => r.state + "/" + r.reason, (r) => {
		const n = el("span", "n"), text = el("span", "text"), code = el("code");
		const verdict = el("span", "verdict", icon(r.state), kindNames[r.state] + ": " + r.reason);
		const command = el("span", "do", "Type, as root: ", code);
		const node = el("li", "", n, verdict, text, command);
		node.dataset.kind = r.state;
		return { node, update(r) {
			put(n, countText(r.count));
			put(text, r.explain);
			command.hidden = !r.command;
			put(code, r.command ?? "");
		} };
	});
	if (lastFallbacks !== null && s.fallback > lastFallbacks && !first) say(`${s.fallback} connections have fallen back to TCP`);
	lastFallbacks = s.fallback;
}

// keyed makes the children of a node those of a list, keeping what is there.
function keyed(parent, list, keyOf, make, before = null) {
	const old = (parent.items ??= new Map());
	const items = (parent.items = new Map());
	for (const x of list) items.set(keyOf(x), old.get(keyOf(x)) ?? make(x));
	for (const [key, item] of old) if (!items.has(key)) item.node.remove();
	let at = before ? before.nextSibling : parent.firstChild;
	for (const x of list) {
		const item = items.get(keyOf(x));
		item.update(x);
		if (item.node === at) at = at.nextSibling;
		else parent.insertBefore(item.node, at);
	}
}

// ---- the connections

const role = (e, name) => (e.setAttribute("role", name), e);

class Connection {
	constructor(c) {
		this.node = role(el("tbody"), "rowgroup");
		this.verdict = el("span", "verdict");
		this.verdictText = el("span");
		this.verdict.append(icon(c.state), this.verdictText);
		this.unsure = el("span", "facts", "not confirmed yet");
		this.peer = el("span", "peer");
		this.facts = el("span", "facts");
		this.because = el("p", "because");
		this.more = el("p", "facts");
		const th = role(el("th", "", el("div", "line", this.verdict, this.unsure, this.peer, this.facts), this.because, this.more), "rowheader");
		th.colSpan = 5;
		th.scope = "rowgroup";
		th.setAttribute("aria-colspan", "5");
		this.head = role(el("tr", "head", th), "row");
		this.node.append(this.head);
		this.node.items = new Map();
	}
	update(c) {
		this.node.dataset.kind = c.state;
		this.node.dataset.id = c.id;
		turn(this.verdict, c.state);
		put(this.verdictText, kindNames[c.state]);
		this.unsure.hidden = c.state !== "multipath" || !!c.confirmed;
		put(this.peer, (c.role === "dialed" ? "to " : "from ") + c.remote);
		const facts = ["#" + c.id, ageText(now * 1000 - Date.parse(c.opened))];
		if (c.bytes) facts.push(sizeText(c.bytes.sent) + " sent", sizeText(c.bytes.received) + " received");
		if (c.bytes && c.bytes.retransmitted) facts.push(sizeText(c.bytes.retransmitted) + " sent again on another subflow");
		if (c.dial) {
			facts.push((c.dial.address === c.remote ? "dialed in " : "dialed as " + c.dial.address + " in ") + timeText(c.dial.duration_ms));
			if (c.dial.multipath_attempts + c.dial.tcp_attempts > 1) facts.push(`${c.dial.multipath_attempts} attempts by Multipath TCP and ${c.dial.tcp_attempts} by TCP`);
		}
		if (c.congestion_control) facts.push(c.congestion_control);
		if (c.token) facts.push("token " + c.token);
		if (c.checksum) facts.push("checksums");
		put(this.facts, facts.join(" · "));
		put(this.because, c.state === "multipath" ? "" : c.explain + (c.command ? " Type, as root: " + c.command : ""));
		put(this.more, [c.dial?.multipath_error, c.error].filter(Boolean).join(" · "));

		const all = c.subflows.map((f) => {
			const h = historyOf(c.id + "/" + f.id);
			h.add(now, f);
			return h;
		});
		const top = (pick) => all.reduce((m, h) => Math.max(m, pick(h)), 0);
		const scale = { rate: top((h) => Math.max(h.send.peak, h.receive.peak)), time: top((h) => h.time.peak), loss: Math.max(0.05, top((h) => h.loss.peak)) };
		keyed(this.node, c.subflows.map((f, i) => ({ f, h: all[i], scale })), (x) => x.f.id, () => new Subflow(), this.head);
	}
}

class Subflow {
	constructor() {
		this.node = role(el("tr", "sub"), "row");
		this.id = el("span", "id");
		this.local = el("span");
		this.remote = el("span");
		this.state = el("span");
		this.facts = el("span");
		const th = role(el("th", "", el("div", "path", this.id, el("span", "addr", this.local, el("span", "to", " → "), this.remote)),
			el("div", "facts", this.state, this.facts)), "rowheader");
		th.scope = "row";
		this.node.append(th);
		this.figures = { send: new Figure("send", "Sending"), receive: new Figure("receive", "Receiving"), time: new Figure("time", "Round trip"), loss: new Figure("loss", "Loss") };
		for (const f of Object.values(this.figures)) this.node.append(role(el("td", "", ...f.nodes), "cell"));
	}
	update({ f, h, scale }) {
		this.node.dataset.id = f.id;
		put(this.id, f.id ? String(f.id) : "–");
		this.id.title = f.id ? "subflow " + f.id : "the one TCP connection";
		put(this.local, f.local);
		put(this.remote, f.remote);
		put(this.state, f.state);
		this.state.className = f.state === "established" ? "" : "odd";
		const facts = ["", "window " + sizeText(f.congestion_window * f.mss)];
		if (f.in_flight) facts.push(sizeText(f.in_flight * f.mss) + " in flight");
		if (f.timeouts) facts.push(f.timeouts + " timeouts");
		put(this.facts, facts.join(" · "));
		this.figures.send.draw(h.send, now, scale.rate, rateText);
		this.figures.receive.draw(h.receive, now, scale.rate, rateText);
		this.figures.time.draw(h.time, now, scale.time, timeText);
		this.figures.loss.draw(h.loss, now, scale.loss, shareText);
	}
}

let shown = { page: 1, pages: 1 };
function showConnections(l, total) {
	shown = l;
	$("table").hidden = l.list.length === 0;
	keyed($("table"), l.list, (c) => c.id, (c) => new Connection(c), $("table").tHead);
	const filters = [];
	if (view.state) filters.push(kindNames[view.state] ?? view.state);
	if (view.reason) filters.push(view.reason);
	if (view.role) filters.push(view.role);
	if (view.q) filters.push("“" + view.q + "”");
	$("filtered").hidden = filters.length === 0;
	put($("filtered-text"), `${countText(l.matching)} of ${countText(total)}: ${filters.join(", ")}`);
	$("empty").hidden = l.list.length > 0;
	if (l.list.length === 0) {
		const key = filters.length ? "filtered" : "none";
		if ($("empty").dataset.key !== key) {
			$("empty").dataset.key = key;
			$("empty").replaceChildren(...(filters.length
				? [el("strong", "", "No open connection is like that"), "“Show all” brings the others back. What has ended is among the events."]
				: [el("strong", "", "No connection is open"), "Connections appear here that package transport has opened: servers with ", el("code", "", "transport.Listen"),
					", clients with ", el("code", "", "grpcdialer.DialOptions"), ", ", el("code", "", "httptransport.RoundTripper"), " or ", el("code", "", "transport.Dialer"), "."]));
		}
	}
	const first = (l.page - 1) * l.size + 1, last = first + l.list.length - 1;
	const range = l.list.length ? `${countText(first)} to ${countText(last)} of ${countText(l.matching)}` : "";
	put($("range"), l.pages > 1 ? range + `, page ${countText(l.page)} of ${countText(l.pages)}` : range);
	$("pager").hidden = l.pages === 1 && view.page === 1;
	$("previous").setAttribute("aria-disabled", String(l.page <= 1));
	$("next").setAttribute("aria-disabled", String(l.page >= l.pages));
	if (announceList) say(l.list.length ? "Connections " + $("range").textContent : "No connections");
	announceList = false;
}

// ---- events

const maxEvents = 200;
let newestEvent = 0;
function showEvents(list) {
	const log = $("log");
	for (const e of list) {
		if (e.n <= newestEvent) continue;
		newestEvent = e.n;
		const name = e.kind === "host" ? (e.reason ? "no" : "yes") : e.kind === "changed" ? e.state ?? "unknown" : e.kind;
		const mark = el("span", "mark", icon(name));
		const li = el("li", "", mark, el("time", "", clock(e.at)), el("span", "text", e.text));
		li.dataset.event = e.kind;
		if (e.kind === "changed" || e.kind === "opened") li.dataset.kind = e.state ?? "unknown";
		log.prepend(li);
	}
	while (log.childElementCount > maxEvents) log.lastElementChild.remove();
	log.hidden = log.childElementCount === 0;
	$("events-empty").hidden = !log.hidden;
}

// ---- counters

// What the counters mean (net/mptcp/mib.h and its uses). One that is not here
// is shown by its name alone.
const meanings = {
	MPCapableSYNRX: "SYNs that offered Multipath TCP, received",
	MPCapableSYNTX: "SYNs that offered Multipath TCP, sent",
	MPCapableSYNACKRX: "answers that accepted it, received",
	MPCapableACKRX: "handshakes completed, as server",
	MPCapableFallbackACK: "fell back at the third ACK, as server",
	MPCapableFallbackSYNACK: "fell back at the SYN/ACK, as client",
	MPCapableSYNTXDrop: "gave up offering after SYNs were dropped",
	MPCapableSYNTXDisabled: "not offered: switched off for a time",
	MPCapableEndpAttempt: "offers refused at an endpoint's port",
	MPFallbackTokenInit: "fell back for want of a token",
	MPTCPRetrans: "segments sent again by Multipath TCP",
	MPJoinNoTokenFound: "joins to a connection that is not here",
	MPJoinSynRx: "joins received",
	MPJoinSynTx: "joins sent",
	MPJoinSynTxCreatSkErr: "joins without a socket",
	MPJoinSynTxBindErr: "joins whose address could not be bound",
	MPJoinSynTxConnectErr: "joins that could not connect",
	MPJoinSynAckRx: "answers to joins, received",
	MPJoinSynAckHMacFailure: "answers to joins that proved false",
	MPJoinAckRx: "joins completed, as server",
	MPJoinAckHMacFailure: "joins that proved false",
	MPJoinRejected: "joins turned away",
	DSSNotMatching: "data out of its place",
	InfiniteMapTx: "fallbacks announced",
	InfiniteMapRx: "fallbacks announced by the peer",
	DSSNoMatchTCP: "data that was mapped wrongly",
	DataCsumErr: "checksums that were wrong",
	OFOQueue: "segments that arrived early",
	OFOMerge: "of these, merged",
	DuplicateData: "data received twice",
	AddAddr: "addresses announced by peers",
	AddAddrTx: "addresses announced",
	EchoAdd: "announcements confirmed by peers",
	EchoAddTx: "announcements confirmed",
	AddAddrDrop: "announcements not used",
	RmAddr: "addresses withdrawn by peers",
	RmAddrTx: "addresses withdrawn",
	RmSubflow: "subflows removed",
	MPPrioTx: "priorities announced",
	MPPrioRx: "priorities announced by peers",
	MPFailTx: "MP_FAIL sent",
	MPFailRx: "MP_FAIL received",
	MPFastcloseTx: "connections aborted",
	MPFastcloseRx: "connections aborted by peers",
	MPRstTx: "subflows reset",
	MPRstRx: "subflows reset by peers",
	SubflowStale: "subflows found stale",
	SubflowRecover: "stale subflows that recovered",
	SndWndShared: "windows shared among subflows",
	RcvWndShared: "windows shared among subflows, as receiver",
	RcvWndConflictUpdate: "windows that another subflow had widened first",
	RcvWndConflict: "of these, corrected",
	NoDSSInWindow: "data outside the window",
	OFOQueueTail: "of the early ones, put at the end",
	DSSCorruptionFallback: "fell back for a corrupt mapping",
	DSSCorruptionReset: "subflows reset for a corrupt mapping",
	AddAddrTxDrop: "announcements that could not be sent",
	EchoAddTxDrop: "confirmations that could not be sent",
	PortAdd: "addresses announced by peers, with a port",
	RmAddrDrop: "withdrawals not used",
	RmAddrTxDrop: "withdrawals that could not be sent",
	MPJoinSynBackupRx: "joins received, as backup",
	MPJoinSynAckBackupRx: "answers to joins, as backup",
	MPJoinPortSynRx: "joins received at an endpoint's port",
	MPJoinPortSynAckRx: "answers to joins, from another port",
	MPJoinPortAckRx: "joins completed at an endpoint's port",
	MismatchPortSynRx: "joins at a wrong port",
	MismatchPortAckRx: "joins completed at a wrong port",
	MPCurrEstab: "connections open now",
	Blackhole: "times that Multipath TCP was switched off for a path that drops it",
	MPCapableDataFallback: "fell back at the first data",
	MD5SigFallback: "fell back for TCP-MD5",
	DssFallback: "fell back for a missing or wrong mapping",
	SimultConnectFallback: "fell back for a simultaneous connect",
	FallbackFailed: "could not fall back",
	WinProbe: "windows probed",
};

let baseline = null;
let baselineTime = "";
function showCounters(v) {
	if (v.counters_error) {
		put($("counters-note"), v.counters_error);
		return;
	}
	if (!baseline) {
		baseline = new Map(v.counters.map((c) => [c.name, c.value]));
		baselineTime = clock(v.time);
	}
	const moved = [], still = [];
	for (const c of v.counters) {
		c.by = c.value - (baseline.get(c.name) ?? 0);
		(c.by !== 0 ? moved : still).push(c);
	}
	put($("counters-note"), (moved.length ? "Moved" : "None has moved") + ` since ${baselineTime}, in all processes of this network namespace.`);
	const row = (withBy) => (c) => {
		const name = el("span", "cname", c.name), by = el("td", "by"), value = el("td");
		const th = el("th", "", name);
		if (meanings[c.name]) th.append(el("span", "means", meanings[c.name]));
		th.scope = "row";
		const node = el("tr", "", th);
		if (withBy) node.append(by);
		node.append(value);
		return { node, update(c) {
			node.className = c.moved ? "fresh" : "";
			put(by, (c.by > 0 ? "+" : "−") + countText(Math.abs(c.by)));
			put(value, countText(c.value));
		} };
	};
	$("moved").hidden = moved.length === 0;
	keyed($("moved-body"), moved, (c) => c.name, row(true));
	$("still").hidden = still.length === 0;
	put($("still-summary"), countText(still.length) + (moved.length ? " others that have not moved" : " counters"));
	keyed($("still-body"), still, (c) => c.name, row(false));
}

// ---- telling a screen reader, seldom

let said = 0;
function say(text) {
	const t = Date.now();
	if (t - said < 5000 && !announceList) return;
	said = t;
	put($("say"), text);
}

// ---- listening

let now = 0; // of the state that is shown, in seconds
let lastSeq = 0, lastPID = 0;
function show(v) {
	if (v.process.pid !== lastPID || v.seq < lastSeq) {
		// Another process than before answers here.
		if (lastPID) {
			newestEvent = 0;
			baseline = lastFallbacks = null;
			histories.clear();
			begun = 0;
		}
		lastPID = v.process.pid;
	}
	const first = lastSeq === 0;
	const again = v.seq === lastSeq; // the same sample, another page of it
	lastSeq = v.seq;
	now = Date.parse(v.time) / 1000;
	begun ||= now;
	wide = Math.min(span, Math.max(shortest, now - begun));
	put($("process"), `${v.process.name} · process ${v.process.pid} · ${v.process.kernel}`);
	document.title = `${v.process.name}: Multipath TCP`;
	showHost(v.host, first);
	if (!again) {
		showSummary(v.summary, now, v.interval_s > 0 && v.interval_s < 5, first);
		showCounters(v);
	} else {
		for (const kind of kinds) tiles[kind].node.setAttribute("aria-pressed", String(view.state === kind));
	}
	showConnections(v.connections, v.summary.total);
	showEvents(v.events);
	pulse("live", "Live");
	document.body.dataset.ready = String(v.seq);
}

function pulse(state, text) {
	$("pulse").dataset.state = state;
	put($("pulse-text"), text);
}

let source = null, timer = 0, paused = false;
function stop() {
	source?.close();
	source = null;
	clearTimeout(timer);
}

// listen opens a stream for what the page looks at, or polls where something
// between here and the server does not let a stream pass.
function listen() {
	stop();
	if (paused || document.hidden) {
		if (paused && announceList) poll(false);
		return;
	}
	const es = (source = new EventSource("events?" + parameters()));
	es.addEventListener("state", (e) => show(JSON.parse(e.data)));
	es.addEventListener("error", () => {
		if (es !== source) return;
		lost("");
		if (es.readyState === EventSource.CLOSED) poll(true);
	});
}

function lost(why) {
	pulse("lost", (now ? `Not connected, state of ${clock(now * 1000)}` : "Not connected") + (why ? ": " + why : ""));
}

let asked = 0;
async function poll(again) {
	const mine = ++asked;
	try {
		const answer = await fetch("state.json?" + parameters(), { cache: "no-store" });
		if (mine !== asked || (again && paused)) return;
		if (answer.ok) {
			show(await answer.json());
			if (paused) pulse("paused", `Paused at ${clock(now * 1000)}`);
		} else lost(await answer.text());
	} catch {
		lost("");
	}
	if (again && source !== null && !paused) timer = setTimeout(() => poll(true), 1000);
}

$("pause").addEventListener("click", () => {
	paused = !paused;
	$("pause").setAttribute("aria-pressed", String(paused));
	if (paused) {
		stop();
		pulse("paused", `Paused at ${clock(now * 1000)}`);
	} else {
		pulse("connecting", "Connecting");
		listen();
	}
});
document.addEventListener("visibilitychange", listen); // nobody looks at a hidden page
$("previous").addEventListener("click", () => shown.page > 1 && look({ page: shown.page - 1 }));
$("next").addEventListener("click", () => shown.page < shown.pages && look({ page: shown.page + 1 }));
$("clear").addEventListener("click", () => {
	$("q").value = $("role").value = "";
	look({ state: "", reason: "", role: "", q: "" });
	$("connections-title").focus();
});
$("filters").addEventListener("submit", (e) => e.preventDefault());
let typing = 0;
$("q").addEventListener("input", () => {
	clearTimeout(typing);
	typing = setTimeout(() => look({ q: $("q").value.trim() }), 300);
});
for (const k of ["role", "sort"]) $(k).addEventListener("change", () => look({ [k]: $(k).value }));
listen();
