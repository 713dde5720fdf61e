# Windows' files, for the Makefile: `make TARGET=x86_64-pc-windows-gnu`. The DLL goes to bin/, where programs find it; lib/ has
# what programs are linked with: an import library, under the names that Microsoft's linker and mingw's look for, and the static
# library, which is for mingw only.

import_libraries = apivideo.lib libapivideo.dll.a

.DELETE_ON_ERROR:
all: $(addprefix $(stage)/,bin/apivideo.dll $(import_libraries:%=lib/%) lib/libapivideo.a)

$(stage)/bin/apivideo.dll: $(release)/apivideo.dll $(stage)/how
	@mkdir -p $(@D)
	cp $< $@
	@# Or it writes the time of day.
	$(if $(STRIP),SOURCE_DATE_EPOCH=0 $(STRIP) $(strip_shared) $@)
$(stage)/apivideo.def: $(stage)/bin/apivideo.dll
	{ echo 'LIBRARY apivideo.dll'; echo EXPORTS; $(CROSS)objdump -p $< | sed -n 's/^.* \(apivideo_[a-z0-9_]*\)$$/    \1/p'; } > $@
# Without the prefix, its parts are named after the process.
$(stage)/lib/apivideo.lib: $(stage)/apivideo.def
	@mkdir -p $(@D)
	cd $(@D) && $(CROSS)dlltool --temp-prefix apivideo -d $(abspath $<) -l $(@F)
$(stage)/lib/libapivideo.dll.a: $(stage)/lib/apivideo.lib
	cp $< $@
$(stage)/lib/libapivideo.a: $(release)/libapivideo.a $(stage)/how
	@mkdir -p $(@D)
	cp $< $@
	@# One of its parts is empty, which strip refuses.
	$(CROSS)ar dD $@ $$($(CROSS)ar t $@ | grep '\.dwo$$')
	$(if $(STRIP),$(STRIP) --strip-debug --enable-deterministic-archives $@)

define install_libraries
$(INSTALL) -d '$(lib)/../bin'
$(INSTALL) -m 755 $(stage)/bin/apivideo.dll '$(lib)/../bin'
$(INSTALL) -m 644 $(import_libraries:%=$(stage)/lib/%) $(stage)/lib/libapivideo.a '$(lib)'
endef

# The same bytes for the same sources: names in order, one time for all, and nothing else of this machine.
pack = sh packaging/windows/zip.sh '$(dist)' '$(package)'
