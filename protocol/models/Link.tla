-------------------------------- MODULE Link --------------------------------
(* The life of one link, seen from both ends: login, data, PING, GOODBYE from  *)
(* either or both sides at once, drain, and the loss of the connection.        *)
(*                                                                             *)
(* REQ: CWP-6.1-1 CWP-6.3-1 CWP-6.3-2 CWP-6.5-1 CWP-6.5-2 CWP-8.4-1 CWP-8.4-2  *)
(* REQ: CWP-8.4-4 CWP-3-10 CWP-3-11 CWP-6.9-10 CWP-10.2-6 CWP-10.3-1           *)
(* REQ: CWP-10.3-2                                                             *)
(*                                                                             *)
(* Bounds: two ends; MaxData messages and MaxPings PINGs from each end; what   *)
(* an end may queue before it must write: all of them. Frames on the way are   *)
(* bounded by what may be sent.                                                *)
(*                                                                             *)
(* Properties                                                                  *)
(*   NoViolation  no frame that a correct end sends is illegal for its receiver*)
(*   Agreement    with nothing on the way both ends hold the same two machines *)
(*   InOrder      data arrives in order, without gap or repetition             *)
(*   Drained      a link that ended by two GOODBYEs has lost nothing           *)
(*   PingsBounded at most two PINGs of a direction are without PONG            *)
(*   Ends         after any GOODBYE or loss both ends close (liveness:         *)
(*                Link_ends.cfg)                                               *)
(*                                                                             *)
(* Abstractions: frames are whole (cuts between reads are tested elsewhere);   *)
(* SUBSCRIBE, PUBLISH, DELIVER, RECEIPT, ERROR and ROUTED are one kind, DATA;  *)
(* PINGs are sent at any time, not by a clock; the drain time may run out at   *)
(* any time; a dead peer that breaks the rules is left to the vectors.         *)
(*                                                                             *)
(* Mutants: drain (GOODBYE overtakes what is queued) must fail Drained;        *)
(* machine (one machine for both directions) must fail NoViolation; mute (a    *)
(* member that has not said HELLO waits on when it gets GOODBYE) must fail Ends*)
EXTENDS Naturals, Sequences, FiniteSets
CONSTANTS MaxData, MaxPings, MayDrop, Mutant, Recording
VARIABLES view,    \* view[e]: what end e holds: the states of (member, broker)
          up,      \* up[e]: whether e still has the connection open
          wire,    \* wire[e]: frames from e that the peer has not read
          queued,  \* queued[e]: messages that e accepted for writing
          written, \* written[e]: how many of them went to the wire
          got,     \* got[e]: how many came from the peer
          pings,   \* pings[e]: PINGs of e without PONG
          pinged,  \* pinged[e]: PINGs that e ever sent
          owed,    \* owed[e]: PONGs that e owes
          cut,     \* the connection was lost, or a drain time ran out
          bad,     \* frames that came illegally
          act
vars == <<view, up, wire, queued, written, got, pings, pinged, owed, cut, bad, act>>

Ends2 == {"member", "broker"}
Peer(e) == IF e = "member" THEN "broker" ELSE "member"
Idle == "idle"  Waiting == "waiting"  Open == "open"  Done == "done"  No == "illegal"

\* The tables of sections 8.2 and 8.3.
Next1(e, s, f) ==
  CASE e = "member" /\ s = Idle /\ f = "HELLO" -> Waiting
    [] e = "member" /\ s = Waiting /\ f = "GOODBYE" -> Done
    [] e = "broker" /\ s = Idle /\ f = "GOODBYE" -> Done
    [] e = "broker" /\ s = Waiting /\ f = "WELCOME" -> Open
    [] e = "broker" /\ s = Waiting /\ f = "GOODBYE" -> Done
    [] s = Open /\ f \in {"DATA", "PING", "PONG"} -> Open
    [] s = Open /\ f = "GOODBYE" -> Done
    [] OTHER -> No
\* Section 8.4.
Joint(v) == CASE v = <<Waiting, Idle>> -> <<Waiting, Waiting>>
              [] v = <<Waiting, Open>> -> <<Open, Open>>
              [] OTHER -> v
Ix(e) == IF e = "member" THEN 1 ELSE 2
\* With one machine (the mutant) a GOODBYE ends both directions at once.
After(v, e, s) == LET w == [v EXCEPT ![Ix(e)] = s]
                  IN IF Mutant = "machine" /\ s = Done THEN <<Done, Done>> ELSE Joint(w)
Step1(v, e, f) == Next1(e, v[Ix(e)], f)
CanSend(e, f) == up[e] /\ Step1(view[e], e, f) # No
Said(e) == view[e][Ix(e)]
Spoken(e) == view[e][Ix(Peer(e))]
Note(r) == IF Recording THEN act' = r ELSE UNCHANGED act

Init == /\ view = [e \in Ends2 |-> <<Idle, Idle>>] /\ up = [e \in Ends2 |-> TRUE]
        /\ wire = [e \in Ends2 |-> <<>>]
        /\ queued = [e \in Ends2 |-> 0] /\ written = [e \in Ends2 |-> 0]
        /\ got = [e \in Ends2 |-> 0] /\ pings = [e \in Ends2 |-> 0]
        /\ pinged = [e \in Ends2 |-> 0] /\ owed = [e \in Ends2 |-> 0]
        /\ cut = FALSE /\ bad = {} /\ act = [name |-> "init"]

\* What is sent to an end that has closed goes nowhere.
Put(e, f) == /\ view' = [view EXCEPT ![e] = After(@, e, Step1(@, e, f.kind))]
             /\ wire' = IF up[Peer(e)] THEN [wire EXCEPT ![e] = Append(@, f)] ELSE wire
             /\ Note([name |-> "send", who |-> e, frame |-> f.kind, number |-> f.n])
Plain(k) == [kind |-> k, n |-> 0]

Login(e) == LET k == IF e = "member" THEN "HELLO" ELSE "WELCOME"
            IN CanSend(e, k) /\ Put(e, Plain(k)) /\ UNCHANGED <<up, queued, written, got, pings, pinged, owed, cut, bad>>
\* The owner hands over a message. Nobody who knows that the end is near accepts one.
Accept(e) == /\ up[e] /\ Said(e) = Open /\ Spoken(e) = Open /\ queued[e] < MaxData
             /\ queued' = [queued EXCEPT ![e] = @ + 1]
             /\ Note([name |-> "accept", who |-> e])
             /\ UNCHANGED <<view, up, wire, written, got, pings, pinged, owed, cut, bad>>
Write(e) == /\ written[e] < queued[e] /\ CanSend(e, "DATA")
            /\ Put(e, [kind |-> "DATA", n |-> written[e] + 1])
            /\ written' = [written EXCEPT ![e] = @ + 1]
            /\ UNCHANGED <<up, queued, got, pings, pinged, owed, cut, bad>>
Ping(e) == /\ pinged[e] < MaxPings /\ pings[e] < 2 /\ CanSend(e, "PING") /\ Spoken(e) = Open
           /\ Put(e, Plain("PING"))
           /\ pings' = [pings EXCEPT ![e] = @ + 1] /\ pinged' = [pinged EXCEPT ![e] = @ + 1]
           /\ UNCHANGED <<up, queued, written, got, owed, cut, bad>>
Pong(e) == /\ owed[e] > 0 /\ CanSend(e, "PONG")
           /\ Put(e, Plain("PONG")) /\ owed' = [owed EXCEPT ![e] = @ - 1]
           /\ UNCHANGED <<up, queued, written, got, pings, pinged, cut, bad>>
\* By intent or in answer: after what is queued (CWP-6.5-2, CWP-10.3-3).
Bye(e) == /\ CanSend(e, "GOODBYE") /\ (Mutant # "drain" => written[e] = queued[e])
          /\ Put(e, Plain("GOODBYE"))
          /\ UNCHANGED <<up, queued, written, got, pings, pinged, owed, cut, bad>>
Read(e) == LET p == Peer(e)  f == Head(wire[p])  to == Step1(view[e], p, f.kind)
           IN /\ up[e] /\ wire[p] # <<>>
              /\ wire' = [wire EXCEPT ![p] = Tail(@)]
              /\ IF to = No \/ (f.kind = "DATA" /\ f.n # got[e] + 1)
                 THEN bad' = bad \cup {<<e, f.kind>>} /\ UNCHANGED <<view, got, pings, owed>>
                 ELSE /\ view' = [view EXCEPT ![e] = After(@, p, to)] /\ UNCHANGED bad
                      /\ got' = IF f.kind = "DATA" THEN [got EXCEPT ![e] = @ + 1] ELSE got
                      /\ pings' = IF f.kind = "PONG" THEN [pings EXCEPT ![e] = @ - 1] ELSE pings
                      \* After our GOODBYE nothing may follow, not even PONG.
                      /\ owed' = IF f.kind = "PING" /\ Said(e) = Open THEN [owed EXCEPT ![e] = @ + 1] ELSE owed
              /\ Note([name |-> "read", who |-> e, frame |-> f.kind, number |-> f.n])
              /\ UNCHANGED <<up, queued, written, pinged, cut>>
Shut(e, why) == /\ up' = [up EXCEPT ![e] = FALSE]
                /\ wire' = [wire EXCEPT ![Peer(e)] = <<>>]  \* nobody will read it
                /\ Note([name |-> "close", who |-> e, why |-> why])
                /\ UNCHANGED <<view, queued, written, got, pings, pinged, owed, bad>>
\* Both GOODBYEs are exchanged.
Close(e) == up[e] /\ Said(e) = Done /\ Spoken(e) = Done /\ Shut(e, "both") /\ UNCHANGED cut
\* A member that has not said HELLO may not say GOODBYE either: it just closes.
CloseMute(e) == Mutant # "mute" /\ up[e] /\ Said(e) = Idle /\ e = "member" /\ Spoken(e) = Done /\ Shut(e, "mute") /\ UNCHANGED cut
\* The drain time ran out: of the one who waits for GOODBYE, or of the one who writes.
TimeUp(e) == up[e] /\ MayDrop /\ (Said(e) = Done) # (Spoken(e) = Done) /\ Shut(e, "time") /\ cut' = TRUE
\* The peer's end of stream, after all that came before it (CWP-3-11).
EndOfStream(e) == up[e] /\ ~up[Peer(e)] /\ wire[Peer(e)] = <<>> /\ Shut(e, "end") /\ cut' = (cut \/ Said(e) # Done \/ Spoken(e) # Done)
Lose == /\ MayDrop /\ ~cut /\ \E e \in Ends2 : up[e]
        /\ cut' = TRUE /\ wire' = [e \in Ends2 |-> <<>>] /\ up' = [e \in Ends2 |-> FALSE]
        /\ Note([name |-> "lose"]) /\ UNCHANGED <<view, queued, written, got, pings, pinged, owed, bad>>

Next == (\E e \in Ends2 : Login(e) \/ Accept(e) \/ Write(e) \/ Ping(e) \/ Pong(e) \/ Bye(e)
                          \/ Read(e) \/ Close(e) \/ CloseMute(e) \/ TimeUp(e) \/ EndOfStream(e)) \/ Lose
Fair == \A e \in {"member", "broker"} :
           /\ WF_vars(Read(e)) /\ WF_vars(Write(e)) /\ WF_vars(Close(e)) /\ WF_vars(CloseMute(e)) /\ WF_vars(EndOfStream(e))
           /\ WF_vars(Spoken(e) = Done /\ Bye(e))  \* who got GOODBYE answers it
Spec == Init /\ [][Next]_vars /\ Fair

NoViolation == bad = {}
Agreement == (up["member"] /\ up["broker"] /\ wire["member"] = <<>> /\ wire["broker"] = <<>>) => view["member"] = view["broker"]
InOrder == \A e \in Ends2 : got[e] <= written[Peer(e)]
Drained == (~cut /\ ~up["member"] /\ ~up["broker"]) => \A e \in Ends2 : got[e] = queued[Peer(e)]
PingsBounded == \A e \in Ends2 : pings[e] <= 2 /\ owed[e] <= 2
Leaving == cut \/ \E e \in Ends2 : Said(e) = Done
Ends == Leaving ~> (~up["member"] /\ ~up["broker"])
=============================================================================
