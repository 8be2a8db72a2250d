-------------------------------- MODULE Trust --------------------------------
(* Requests and replies against an attacker who owns a broker: it reads, keeps,*)
(* drops, repeats and moves everything, chooses subject and reply field of all *)
(* that arrives, and has keys of its own: a client "eve", a node "x" of network*)
(* a, and the issuers of network b, which signed a second "n1".                *)
(*                                                                             *)
(* REQ: CWP-13.4-3 CWP-13.4-4 CWP-7.4-5 CWP-13.5-2 CWP-13.5-3 CWP-13.5-4       *)
(* REQ: CWP-13.1-4 CWP-13.3-6 CWP-13.3-9 CWP-2.2-4 CWP-2.2-5 CWP-3-1 CWP-3-5   *)
(* REQ: CWP-3-6                                                                *)
(*                                                                             *)
(* Bounds: honest nodes n1, n2 of network a and n3 of network b, which all let *)
(* rip of network a do anything; rip signs MaxAsked requests, eve MaxForged    *)
(* with ids of her choice; rip takes MaxTaken answers and logs in once. One    *)
(* honest broker, "b1".                                                        *)
(*                                                                             *)
(* Properties                                                                  *)
(*   RunsAsAsked    what a node runs for rip, rip signed for this node         *)
(*   OnlyAllowed    eve, whom policy allows only to ping, makes nothing else run*)
(*   NoReflection   an honest node's answer is aimed at its signer's inbox     *)
(*   ReplyTrue      a signed answer that rip takes as one of an honest node    *)
(*                  says what this node did for exactly this request           *)
(*   GradeKept      what no node signed is taken for a ping only               *)
(*   OneEach        rip takes one answer of each sender                        *)
(*   LinkAuthentic  who is logged in at the honest broker meant to be there    *)
(*                                                                             *)
(* Abstractions (symbolic, not a proof of the cryptography): signatures and    *)
(* hashes cannot be forged; the domain tags of CWP-13.3-6 keep request and     *)
(* reply apart; encodings are unique; TLS binds the member's signature to the  *)
(* broker's certificate; replay in time is Replay.tla; refusals are silent     *)
(* here; encryption is none, since brokers may read. Within these bounds only. *)
(*                                                                             *)
(* Mutants: audience (targets are not judged) and network (the network is not) *)
(* must fail RunsAsAsked; inbox (the reply field is believed) must fail        *)
(* NoReflection; hash (a reply names the id only), sender (who signed is not   *)
(* compared with who is said to) and store (any network's issuers will do)     *)
(* must fail ReplyTrue; grade (unsigned answers are believed) must fail        *)
(* GradeKept; bind (the login does not name the broker) must fail              *)
(* LinkAuthentic.                                                              *)
EXTENDS Naturals, FiniteSets
CONSTANTS MaxAsked, MaxForged, MaxTaken, Mutant
VARIABLES asked,    \* requests that rip signed
          forged,   \* requests that eve signed
          ran,      \* <<node, request>>
          answers,  \* signed replies of honest nodes; the attacker has them all
          aimed,    \* <<inbox, signer>> of what they sent
          taken,    \* what rip took: [request, sender, data, signed]
          logins,   \* login signatures that the attacker may pass on: [by, to]
          links     \* who is logged in at b1
vars == <<asked, forged, ran, answers, aimed, taken, logins, links>>

Rip == "rip"  Eve == "eve"
Nodes == {<<"a", "n1">>, <<"a", "n2">>, <<"b", "n3">>}
Evil == {<<"a", "x">>, <<"b", "n1">>}
Senders == Nodes \cup Evil
IdsOf == 1..2
\* Broadcast (no targets) or directed; "run" is worth attacking, "ping" may be answered unsigned.
Audiences == {[net |-> "a", targets |-> {}], [net |-> "a", targets |-> {"n1"}], [net |-> "b", targets |-> {"n3"}]}
Request(by, id, aud, action) == [by |-> by, id |-> id, net |-> aud.net, targets |-> aud.targets, action |-> action]

Init == /\ asked = {} /\ forged = {} /\ ran = {} /\ answers = {} /\ aimed = {} /\ taken = {}
        /\ logins = {} /\ links = {}

Ask == /\ Cardinality(asked) < MaxAsked
       /\ \E aud \in Audiences, action \in {"run", "ping"} :
            asked' = asked \cup {Request(Rip, Cardinality(asked) + 1, aud, action)}
       /\ UNCHANGED <<forged, ran, answers, aimed, taken, logins, links>>
\* Eve signs what she likes, with ids that she has read.
Forge == /\ Cardinality(forged) < MaxForged
         /\ \E id \in IdsOf, aud \in Audiences, action \in {"run", "ping"} : forged' = forged \cup {Request(Eve, id, aud, action)}
         /\ UNCHANGED <<asked, ran, answers, aimed, taken, logins, links>>
\* Steps 5, 6, 8 and 10 of CWP-13.6-1 with the subject and the reply field that the attacker chose.
ForMe(n, q) == /\ q.net = n[1] \/ Mutant = "network"
               /\ q.targets = {} \/ n[2] \in q.targets \/ Mutant = "audience"
Allowed(q) == q.by = Rip \/ q.action = "ping"
NewTo(n, q) == ~\E r \in ran : r[1] = n /\ r[2].by = q.by /\ r[2].id = q.id
Hand(n, q, inbox) ==
  /\ ForMe(n, q) /\ Allowed(q) /\ NewTo(n, q) /\ (inbox = q.by \/ Mutant = "inbox")
  /\ ran' = ran \cup {<<n, q>>}
  /\ answers' = answers \cup {[signer |-> n, net |-> n[1], sender |-> n[2], to |-> q, data |-> <<n, q>>]}
  /\ aimed' = aimed \cup {<<inbox, q.by>>}
  /\ UNCHANGED <<asked, forged, taken, logins, links>>
\* What the attacker can show: answers it read, any that its own keys sign, and unsigned ones.
Lie == <<<<"", "">>, Request("", 0, [net |-> "", targets |-> {}], "")>>
Signed(q) == {a \in answers : TRUE} \cup
             {[signer |-> k, net |-> s[1], sender |-> s[2], to |-> q, data |-> Lie] : k \in Evil, s \in Senders}
\* CWP-13.5-3: rip looks at an answer to q that came with the last two tokens s.
Names(a, s) == \/ Mutant = "sender"
               \/ a.net = s[1] /\ a.sender = s[2] /\ a.signer[2] = s[2] /\ (a.signer[1] = s[1] \/ Mutant = "store")
About(a, q) == a.to = q \/ (Mutant = "hash" /\ a.to.id = q.id)
First(q, s) == Cardinality(taken) < MaxTaken /\ ~\E t \in taken : t.request = q /\ t.sender = s
TakeSigned(q, s, a) == /\ First(q, s) /\ Names(a, s) /\ About(a, q)
                       /\ taken' = taken \cup {[request |-> q, sender |-> s, data |-> a.data, signed |-> TRUE]}
                       /\ UNCHANGED <<asked, forged, ran, answers, aimed, logins, links>>
TakeUnsigned(q, s) == /\ First(q, s) /\ (q.action = "ping" \/ Mutant = "grade")
                      /\ taken' = taken \cup {[request |-> q, sender |-> s, data |-> Lie, signed |-> FALSE]}
                      /\ UNCHANGED <<asked, forged, ran, answers, aimed, logins, links>>
\* A member connects to a broker, maybe the attacker's; the attacker shows what it got to b1.
Connect(to) == /\ ~\E l \in logins : l.by = Rip
               /\ logins' = logins \cup {[by |-> Rip, to |-> to]} /\ UNCHANGED <<asked, forged, ran, answers, aimed, taken, links>>
Admit(l) == /\ l.to = "b1" \/ Mutant = "bind"
            /\ links' = links \cup {l.by} /\ UNCHANGED <<asked, forged, ran, answers, aimed, taken, logins>>

Next == \/ Ask \/ Forge \/ (\E to \in {"b1", "hostile"} : Connect(to)) \/ (\E l \in logins : Admit(l))
        \/ \E n \in Nodes, q \in asked \cup forged, inbox \in {Rip, Eve} : Hand(n, q, inbox)
        \/ \E q \in asked, s \in Senders : TakeUnsigned(q, s) \/ \E a \in Signed(q) : TakeSigned(q, s, a)
Spec == Init /\ [][Next]_vars

RunsAsAsked == \A r \in ran : r[2].by = Rip =>
   r[2] \in asked /\ r[2].net = r[1][1] /\ (r[2].targets = {} \/ r[1][2] \in r[2].targets)
OnlyAllowed == \A r \in ran : r[2].by = Eve => r[2].action = "ping"
NoReflection == \A p \in aimed : p[1] = p[2]
ReplyTrue == \A t \in taken : (t.signed /\ t.sender \in Nodes) => t.data = <<t.sender, t.request>> /\ t.data \in ran
GradeKept == \A t \in taken : t.signed \/ t.request.action = "ping"
OneEach == \A t, u \in taken : (t.request = u.request /\ t.sender = u.sender) => t = u
LinkAuthentic == \A m \in links : [by |-> m, to |-> "b1"] \in logins
=============================================================================
