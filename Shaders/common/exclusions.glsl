// Items left out of a ranking: for all queries, and for each.
bool isExcluded(Ints forAll, uint forAllCount, Longs offsets, Ints ids, uint query, int id) {
    if (present(forAll) && isListed(forAll, 0ul, forAllCount, id)) return true;
    return present(offsets) && isListed(ids, uint64_t(offsets.v[query]), uint64_t(offsets.v[query + 1]), id);
}
