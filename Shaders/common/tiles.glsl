// After push.glsl and tile.glsl, for shaders whose Args begin with BLOCK_MEMBERS.
struct Block { uint firstSlot; uint slotCount; uint firstPlace; uint placeCount; bool contributes; };

Block blockAt(uint block) {
    Longs range = Longs(uint64_t(args.ranges) + uint64_t(block) * 40ul);
    return Block(uint(range.v[0]), uint(range.v[1]), uint(range.v[2]), uint(range.v[3]), range.v[4] != 0l);
}

shared int slotToken[tileSize];   // the token's ordinal, −1 for none
shared int slotTarget[tileSize];
shared int slotBefore[tileSize];  // the token's slot in an earlier block
shared int placeItem[tileSize];   // −1 for none
shared int placeBefore[tileSize];
shared float placeShift[tileSize];  // bias and log-weight

// Threads below tileSize call these, one place each.
void loadSlot(uint at, uint slot, bool isThere) {
    int token = -1;
    if (isThere) token = present(args.slotTokens) ? args.slotTokens.v[slot] : int(slot);
    slotToken[at] = token;
    slotTarget[at] = token >= 0 ? args.targets.v[token] : -1;
    slotBefore[at] = token >= 0 && args.onceOnly != 0u && present(args.previousSlot) ? args.previousSlot.v[slot] : -1;
}

void loadPlace(uint at, uint place, bool isThere) {
    int item = -1;
    if (isThere) {
        item = present(args.placeItems) ? args.placeItems.v[place] : int(place);
        // Listed blocks hold no excluded item; the dense one lists nothing.
        if (args.isDense != 0u && present(args.excluded) && isListed(args.excluded, 0ul, args.excludedCount, item))
            item = -1;
    }
    float shift = 0.0;
    if (item >= 0 && present(args.bias)) shift = args.bias.v[item];
    if (item >= 0 && present(args.logWeights)) shift += args.logWeights.v[place];
    placeItem[at] = item;
    placeShift[at] = shift;
    placeBefore[at] = item >= 0 && args.onceOnly != 0u && present(args.previousPlace) ? args.previousPlace.v[place] : -1;
}

uint64_t hiddenRow(int token) {
    if (token < 0) return 0ul;
    const uint row = present(args.hiddenRows) ? uint(args.hiddenRows.v[token]) : uint(token);
    return uint64_t(rowOf(args.hidden, row, args.hiddenStride));
}

uint64_t catalogRow(int item) {
    return item < 0 ? 0ul : uint64_t(rowOf(args.catalog, uint(item), args.catalogStride));
}

// Whether an earlier block holds both the token and the item.
bool metBefore(uint at, uint place) {
    int slot = slotBefore[at];
    if (slot < 0) return false;
    if (present(args.places)) {
        while (slot >= 0) {
            const uint round = uint(slot) / args.tokenCount, position = uint(slot) % args.tokenCount;
            const int where = args.places.v[round * args.itemCount + uint(placeItem[place])];
            const uint chunk = uint(((uint64_t(position) + 1ul) * args.chunkCount - 1ul) / args.tokenCount);
            const Block block = blockAt(round * args.chunkCount + chunk);
            const uint inRound = round * args.selectableCount + uint(where);
            if (where >= 0 && inRound >= block.firstPlace && inRound < block.firstPlace + block.placeCount) return true;
            slot = args.previousSlot.v[slot];
        }
        return false;
    }
    // Both chains descend block by block.
    int other = placeBefore[place];
    while (slot >= 0 && other >= 0) {
        const int a = args.blockOfSlot.v[slot], b = args.blockOfPlace.v[other];
        if (a == b) return true;
        if (a > b) slot = args.previousSlot.v[slot]; else other = args.previousPlace.v[other];
    }
    return false;
}

// Which of this thread's pairs an earlier block holds: bit 4e + j for sums[e][j]. Rows are slots, or else places.
uint64_t pairsMet(bool rowsAreSlots) {
    uint64_t bits = 0ul;
    if (args.onceOnly == 0u) return bits;
    for (uint n = 0; n < 16 * factor * factor; n++) {
        const uint e = n / 4, i = e / factor;
        const uint row = tileRow(i / 4, i % 4), column = tileColumn(e % factor, n % 4);
        const uint slot = rowsAreSlots ? row : column, place = rowsAreSlots ? column : row;
        if (slotToken[slot] >= 0 && placeItem[place] >= 0 && metBefore(slot, place)) bits |= 1ul << n;
    }
    return bits;
}
