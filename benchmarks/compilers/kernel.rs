//! See model.py. Without crates: the interface of C, which ctypes calls.
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::slice::{from_raw_parts, from_raw_parts_mut};

struct Event { at_s: f64, number: i64, what: i64 }
impl PartialEq for Event { fn eq(&self, other: &Self) -> bool { self.number == other.number } }
impl Eq for Event {}
impl PartialOrd for Event { fn partial_cmp(&self, other: &Self) -> Option<Ordering> { Some(self.cmp(other)) } }
impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering { other.at_s.total_cmp(&self.at_s).then(other.number.cmp(&self.number)) }
}

/// # Safety
/// The arrays are as long as `count` and `tries` say.
#[no_mangle]
pub unsafe extern "C" fn run(servers: i64, tries: i64, count: i64, arrival_s: *const f64, service_s: *const f64,
        wait_s: *const f64, fails: *const i64, ended_s: *mut f64, attempts: *mut i64) -> i32 {
    let (tries, n) = (tries as usize, count as usize);
    let (arrival_s, service_s) = (from_raw_parts(arrival_s, n), from_raw_parts(service_s, n * tries));
    let (wait_s, fails) = (from_raw_parts(wait_s, n * tries), from_raw_parts(fails, n * tries));
    let (ended_s, attempts) = (from_raw_parts_mut(ended_s, n), from_raw_parts_mut(attempts, n));
    let first = arrival_s.iter().enumerate().map(|(task, &at_s)| Event { at_s, number: task as i64, what: -(task as i64) - 1 });
    let mut events: BinaryHeap<Event> = first.collect();
    let (mut number, mut free, mut first, mut waiting) = (count, servers, 0, Vec::<usize>::new());
    while let Some(Event { at_s, what, .. }) = events.pop() {
        if what < 0 { waiting.push((-what - 1) as usize); } else {
            let task = what as usize;
            let draw = task * tries + attempts[task] as usize;
            free += 1;
            attempts[task] += 1;
            if fails[draw] != 0 && (attempts[task] as usize) < tries {
                events.push(Event { at_s: at_s + wait_s[draw], number, what: -what - 1 });
                number += 1;
            } else { ended_s[task] = at_s; }
        }
        while free > 0 && first < waiting.len() {
            let task = waiting[first];
            first += 1;
            free -= 1;
            events.push(Event { at_s: at_s + service_s[task * tries + attempts[task] as usize], number, what: task as i64 });
            number += 1;
        }
    }
    0
}
